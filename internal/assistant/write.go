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
	defer stream.Close()
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
		s.logEnd(r, result, failure)
		return
	}
	s.logEnd(r, result, nil)
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
		r.delta(delta, time.Now())
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
	lastSeq, firstTokenAt := r.end()
	var response sqlc.AIResponse
	var message sqlc.Message
	err = s.persist(ctx, func(q sqlc.Querier) error {
		// The writer acts for the desk: it sees every ticket.
		if _, err := q.LockTicketByID(ctx, sqlc.LockTicketByIDParams{ID: r.response.TicketID, Staff: true}); err != nil {
			return err
		}
		var err error
		message, err = q.CreateMessage(ctx, sqlc.CreateMessageParams{
			ID: id, TicketID: r.response.TicketID, Author: sqlc.MessageAuthorAI, Content: text,
		})
		if err != nil {
			return err
		}
		response, err = q.CompleteAIResponse(ctx, sqlc.CompleteAIResponseParams{
			ID: r.response.ID, Attempt: r.response.Attempt, MessageID: id, FinishReason: string(result.FinishReason),
			LastSeq: lastSeq, FirstTokenAt: firstTokenAt,
			PromptTokens: int32(result.Usage.PromptTokens), CompletionTokens: int32(result.Usage.CompletionTokens),
			ReasoningTokens: int32(result.Usage.ReasoningTokens), CachedTokens: int32(result.Usage.CachedTokens),
		})
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
	lastSeq, firstTokenAt := r.end()
	code := string(failure.Code)
	err := s.persist(ctx, func(q sqlc.Querier) error {
		usage := result.Usage
		rows, err := q.FailAIResponse(ctx, sqlc.FailAIResponseParams{
			ID: r.response.ID, Attempt: r.response.Attempt, ErrorCode: &code, LastSeq: lastSeq, FirstTokenAt: firstTokenAt,
			PromptTokens: int32(usage.PromptTokens), CompletionTokens: int32(usage.CompletionTokens),
			ReasoningTokens: int32(usage.ReasoningTokens), CachedTokens: int32(usage.CachedTokens),
		})
		if err != nil || rows == 1 {
			return err
		}
		return q.RecordSupersededAIResponse(ctx, sqlc.RecordSupersededAIResponseParams{
			ID: r.response.ID, Attempt: r.response.Attempt, LastSeq: lastSeq, FirstTokenAt: firstTokenAt,
			PromptTokens: int32(usage.PromptTokens), CompletionTokens: int32(usage.CompletionTokens),
			ReasoningTokens: int32(usage.ReasoningTokens), CachedTokens: int32(usage.CachedTokens),
		})
	})
	if err != nil {
		s.options.Logger.ErrorContext(ctx, "ai response not recorded", slog.Any("ai_response_id", r.response.ID),
			slog.Any("error", err))
	}
}

func (s *Service) logEnd(r *run, result groq.Result, failure *apperr.Error) {
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
	s.options.Logger.LogAttrs(context.Background(), level, "ai response ended", // It belongs to no request.
		append(attrs, slog.String("status", status))...)
}
