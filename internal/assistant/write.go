package assistant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/groq"
	"github.com/supportbackend/support/internal/store"
)

const (
	// commitTimeout is how long the end of an answer may wait for the database.
	commitTimeout = 20 * time.Second
	commitPause   = 500 * time.Millisecond
)

// write generates the answer, stores it, and tells the readers how it ended. ctx ends when the answer is not wanted any
// more; its end is recorded all the same.
func (s *Service) write(ctx context.Context, r *run, messages []groq.Message) {
	stream := s.options.Client.Stream(ctx, groq.Request{
		Model:               r.response.Model,
		Messages:            messages,
		MaxCompletionTokens: s.options.MaxTokens,
	})
	defer func() { _ = stream.Close() }()
	text, err := s.generate(r, stream)
	result := stream.Result()

	// The end must be recorded also when ctx is what has ended it.
	saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	if err == nil {
		err = s.commit(saving, r, text, result)
	}
	if err != nil {
		failure := failureOf(ctx, err)
		s.recordFailure(saving, r, failure, result)
		r.failed(failure)
		s.logEnd(ctx, r, result, failure)
		return
	}
	s.logEnd(ctx, r, result, nil)
}

// generate appends the upstream's deltas to the run and returns their text.
func (s *Service) generate(r *run, stream *groq.Stream) (text string, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("assistant: panic while generating: %v\n%s", fault, debug.Stack())
		}
	}()
	var b strings.Builder
	for stream.Next() {
		delta := stream.Delta()
		b.WriteString(delta)
		r.delta(delta)
	}
	return b.String(), stream.Err()
}

// commit stores the answer as a message and completes the response, together or not at all, and publishes the end. It
// returns Superseded when a human was faster: the lock on the ticket lets only one of them win.
func (s *Service) commit(ctx context.Context, r *run, text string, result groq.Result) error {
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("assistant: make an id: %w", err)
	}
	params := completion(r, id, result)
	var response sqlc.AIResponse
	var message sqlc.Message
	err = s.persist(ctx, func(q sqlc.Querier) error {
		response, err = lock(ctx, q, r)
		if err != nil {
			return err
		}
		if response.MessageID != nil && *response.MessageID == id {
			// This very commit went through before, and only the database's word of it was lost.
			message, err = q.GetMessageByID(ctx, id)
			return err
		}
		message, err = q.CreateMessage(ctx, sqlc.CreateMessageParams{
			ID: id, TicketID: r.response.TicketID, Author: sqlc.MessageAuthorAI, Content: text,
		})
		if err != nil {
			return err
		}
		response, err = q.CompleteAIResponse(ctx, params)
		if errors.Is(err, store.ErrNoRows) {
			return errSuperseded()
		}
		return err
	})
	if err != nil {
		return err
	}
	r.done(response, message)
	return nil
}

// lock returns the response as it is now, and keeps everybody else from the ticket until the transaction ends. The
// writer acts for the desk, which sees every ticket.
func lock(ctx context.Context, q sqlc.Querier, r *run) (sqlc.AIResponse, error) {
	if _, err := q.LockTicketByID(ctx, sqlc.LockTicketByIDParams{ID: r.response.TicketID, Staff: true}); err != nil {
		return sqlc.AIResponse{}, err
	}
	return q.GetAIResponseByTicket(ctx, sqlc.GetAIResponseByTicketParams{
		ID: r.response.ID, TicketID: r.response.TicketID, Staff: true,
	})
}

func completion(r *run, messageID uuid.UUID, result groq.Result) sqlc.CompleteAIResponseParams {
	usage := result.Usage
	return sqlc.CompleteAIResponseParams{
		ID: r.response.ID, Attempt: r.response.Attempt, MessageID: messageID,
		FinishReason: finishReason(result.FinishReason), LastSeq: r.lastSeq(), FirstTokenAt: firstTokenAt(result),
		PromptTokens: tokens(usage.PromptTokens), CompletionTokens: tokens(usage.CompletionTokens),
		ReasoningTokens: tokens(usage.ReasoningTokens), CachedTokens: tokens(usage.CachedTokens),
	}
}

// finishReason is upstream's in the contract's words. Whatever else upstream says, it was finished: it has no tools to
// call.
func finishReason(reason groq.FinishReason) string {
	switch reason {
	case groq.FinishLength, groq.FinishContentFilter:
		return string(reason)
	default:
		return string(groq.FinishStop)
	}
}

// firstTokenAt is when the first text came; nil when none did.
func firstTokenAt(result groq.Result) *time.Time {
	if result.FirstTokenAt.IsZero() {
		return nil
	}
	return &result.FirstTokenAt
}

// maxTokens is the most that the contract can say of an answer.
const maxTokens = 10_000_000

// tokens is a count as upstream gives it, within the contract's bounds.
func tokens(n int) int32 {
	return int32(min(max(n, 0), maxTokens))
}

// persist runs fn in a transaction, again and again while the database is away and ctx allows.
func (s *Service) persist(ctx context.Context, fn func(q sqlc.Querier) error) error {
	for {
		err := s.store.InTx(ctx, fn)
		if !apperr.Is(err, apperr.DBUnavailable) && !apperr.Is(err, apperr.DBBusy) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(commitPause):
		}
	}
}

// recordFailure records why the answer ended and what it took. When that fails too, the lease ends the response.
func (s *Service) recordFailure(ctx context.Context, r *run, failure *apperr.Error, result groq.Result) {
	code, usage := string(failure.Code), result.Usage
	failed := sqlc.FailAIResponseParams{
		ID: r.response.ID, Attempt: r.response.Attempt, ErrorCode: &code, LastSeq: r.lastSeq(),
		FirstTokenAt: firstTokenAt(result),
		PromptTokens: tokens(usage.PromptTokens), CompletionTokens: tokens(usage.CompletionTokens),
		ReasoningTokens: tokens(usage.ReasoningTokens), CachedTokens: tokens(usage.CachedTokens),
	}
	err := s.persist(ctx, func(q sqlc.Querier) error { return q.FailAIResponse(ctx, failed) })
	if err != nil {
		s.options.Logger.ErrorContext(ctx, "ai response not recorded", slog.Any("ai_response_id", r.response.ID),
			slog.Any("error", err))
	}
}

func (s *Service) logEnd(
	ctx context.Context, r *run, result groq.Result, failure *apperr.Error,
) {
	level, status := slog.LevelInfo, "completed"
	attrs := []slog.Attr{
		slog.Any("ai_response_id", r.response.ID),
		slog.Any("ticket_id", r.response.TicketID),
		slog.String("model", r.response.Model),
		slog.Duration("dur", time.Since(r.response.CreatedAt)),
		slog.Int("completion_tokens", result.Usage.CompletionTokens),
	}
	if failure != nil {
		status = string(failure.Code)
		attrs = append(attrs, slog.Any("error", failure))
		if failure.Code != apperr.Superseded && failure.Code != apperr.Draining {
			level = slog.LevelError
		}
	}
	s.options.Logger.LogAttrs(ctx, level, "ai response ended", append(attrs, slog.String("status", status))...)
}
