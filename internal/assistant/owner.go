package assistant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/groq"
	"github.com/supportbackend/support/internal/store"
)

const (
	// endTimeout bounds one try to record the end of an answer. Tries go on until one is heard, or the response is known
	// to be another's: what is complete in memory is not given up because the database is away.
	endTimeout = 30 * time.Second
	// leaveTimeout bounds what a writer does for a response that it leaves to others.
	leaveTimeout = 10 * time.Second
)

// errLost says that the response is no longer this owner's: it was ended by somebody else, or is written elsewhere.
var errLost = errors.New("assistant: the response is no longer written here")

// owner is this replica's writing of one response, for as long as it holds the response's lease.
type owner struct {
	response sqlc.AIResponse
	feed     *feed
	cancel   context.CancelCauseFunc
	// began is when this replica began to write it.
	began time.Time

	mu sync.Mutex
	// pending is text that upstream has sent and that is in no delta yet.
	pending []byte
	// inflight is the delta that is being committed. It stays as it is until it is known to be committed, because a
	// commit whose answer was lost may have gone through.
	inflight *Delta
	lastSeq  int64
	// lost says that nothing more is to be committed.
	lost bool
	// changed is closed when inflight was committed, or the response was lost.
	changed chan struct{}
}

func newOwner(response sqlc.AIResponse, f *feed, cancel context.CancelCauseFunc) *owner {
	return &owner{response: response, feed: f, cancel: cancel, began: time.Now(), lastSeq: response.LastSeq, changed: make(chan struct{})}
}

// take returns the delta to commit next, if there is one.
func (o *owner) take() (Delta, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lost {
		return Delta{}, false
	}
	if o.inflight == nil {
		if len(o.pending) == 0 {
			return Delta{}, false
		}
		o.inflight = &Delta{
			ID:      EventID{ResponseID: o.response.ID, Seq: o.lastSeq + 1, Attempt: o.response.Attempt},
			Content: string(o.pending),
		}
		o.pending = o.pending[:0]
	}
	return *o.inflight, true
}

// committed says that the delta which was taken is in the log, and returns whether more has come meanwhile.
func (o *owner) committed() (more bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lastSeq = o.inflight.ID.Seq
	o.inflight = nil
	close(o.changed)
	o.changed = make(chan struct{})
	return len(o.pending) > 0
}

// flush waits until everything that was added is committed, and returns the number of the last delta.
func (o *owner) flush(ctx context.Context) (int64, error) {
	for {
		o.mu.Lock()
		clean, lost, lastSeq, changed := o.inflight == nil && len(o.pending) == 0, o.lost, o.lastSeq, o.changed
		o.mu.Unlock()
		switch {
		case lost:
			return 0, errLost
		case clean:
			return lastSeq, nil
		}
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-changed:
		}
	}
}

// lose stops the writing: the response is no longer this owner's.
func (o *owner) lose() {
	o.mu.Lock()
	o.lost = true
	close(o.changed)
	o.changed = make(chan struct{})
	o.mu.Unlock()
	o.cancel(errLost)
}

// write generates the answer, commits it piece by piece, and ends the response. ctx ends when the answer is lost, or when
// the process must stop.
func (s *Service) write(ctx context.Context, o *owner, messages []groq.Message) {
	g := &generation{service: s, owner: o, model: o.response.Model}
	err := g.run(ctx, messages)
	if err == nil {
		err = s.complete(ctx, g)
	}
	if err != nil {
		err = s.giveUp(ctx, g, err)
	}
	s.logEnd(ctx, g, err)
}

// complete stores the answer as a message, ends the response and its log, all of it or nothing, and publishes the end.
// The lock on the ticket lets either this or a human win.
func (s *Service) complete(ctx context.Context, g *generation) error {
	o := g.owner
	lastSeq, err := o.flush(ctx)
	if err != nil {
		return err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("assistant: make an id: %w", err)
	}
	end := s.completion(g, id, lastSeq)
	var response sqlc.AIResponse
	err = s.persist(ctx, func(ctx context.Context) error {
		// The writer acts for the desk: it sees every ticket.
		if _, err := s.store.LockTicket(ctx, sqlc.LockTicketParams{ID: o.response.TicketID, Staff: true}); err != nil {
			return err
		}
		for {
			response, err = s.store.CompleteAIResponse(ctx, end)
			if !errors.Is(err, store.ErrNoRows) {
				return err
			}
			if response, err = s.store.GetAIResponse(ctx, o.response.ID); err != nil {
				return err
			}
			if response.MessageID != nil && *response.MessageID == id {
				return nil // This very commit went through before, and only the database's word of it was lost.
			}
			if err := s.repair(ctx, o, response); err != nil {
				return err
			}
		}
	})
	if err != nil {
		return err
	}
	o.feed.publish(s.entry(Done{ID: endOf(response), Response: response, Message: sqlc.Message{
		ID: id, TicketID: response.TicketID, Author: sqlc.MessageAuthorAI, Content: end.Content, CreatedAt: *response.FinishedAt,
	}}))
	return nil
}

// repair puts back what a crash of the database has lost of the log, so that it can be ended. It returns errLost when
// nothing is missing: then the response is no longer this owner's.
func (s *Service) repair(ctx context.Context, o *owner, current sqlc.AIResponse) error {
	restored, err := s.committer.restore(ctx, s.store, o, current.LastSeq)
	if err == nil && !restored {
		return errLost
	}
	return err
}

// giveUp ends a response that has no answer and returns why it ended. One that is somebody else's by now is left to
// them; one that the process has no time for is left to another replica.
func (s *Service) giveUp(ctx context.Context, g *generation, err error) error {
	o := g.owner
	if ctx.Err() == nil && !errors.Is(err, errLost) {
		failure := failureOf(err)
		err = s.fail(ctx, g, failure)
		if err == nil {
			return failure
		}
	}
	cause := context.Cause(ctx)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	if errors.Is(cause, errStopping) {
		s.handOver(ctx, o)
		return errStopping
	}
	// Who has it now writes the rest, and the follower will read it.
	if s.isCurrent(o) {
		o.feed.setLocal(false)
		s.hub.follow(o.feed)
	}
	if recordErr := s.store.RecordAIResponseUsage(ctx, s.usage(g)); recordErr != nil {
		err = errors.Join(err, recordErr)
	}
	return err
}

// fail ends the response with a failed event. It returns errLost when the response has ended otherwise.
func (s *Service) fail(ctx context.Context, g *generation, failure *apperr.Error) error {
	o := g.owner
	lastSeq, err := o.flush(ctx)
	if err != nil {
		return err
	}
	usage := s.usage(g)
	end := sqlc.FailAIResponseParams{
		ID: usage.ID, OwnerID: usage.OwnerID, Attempt: usage.Attempt, LastSeq: lastSeq, ErrorCode: string(failure.Code),
		RetryAfterSeconds: retryAfterSeconds(failure),
		PromptTokens:      usage.PromptTokens, CompletionTokens: usage.CompletionTokens,
		ReasoningTokens: usage.ReasoningTokens, CachedTokens: usage.CachedTokens,
	}
	var event sqlc.AIResponseEvent
	err = s.persist(ctx, func(ctx context.Context) error {
		for {
			event, err = s.store.FailAIResponse(ctx, end)
			if !errors.Is(err, store.ErrNoRows) {
				return err
			}
			current, err := s.store.GetAIResponse(ctx, o.response.ID)
			if err != nil {
				return err
			}
			if err := s.repair(ctx, o, current); err != nil {
				return err
			}
		}
	})
	if err != nil {
		return err
	}
	o.feed.publish(s.entry(Failed{ID: EventID{ResponseID: usage.ID, Seq: event.Seq, Attempt: event.Attempt}, Err: failure}))
	return nil
}

// handOver leaves the response to another replica, and tells the readers to come back.
func (s *Service) handOver(ctx context.Context, o *owner) {
	s.releaseLease(ctx, o.response)
	s.hub.abandon(o.feed)
}

// releaseLease gives the lease up, so that another replica takes the response over at once.
func (s *Service) releaseLease(ctx context.Context, response sqlc.AIResponse) {
	err := s.store.ReleaseAIResponseLease(ctx, sqlc.ReleaseAIResponseLeaseParams{
		ID: response.ID, OwnerID: s.id, Attempt: response.Attempt,
	})
	if err != nil {
		s.options.Logger.WarnContext(ctx, "lease not released", slog.Any("error", err))
	}
}

// persist runs fn in a transaction, again and again while the database is away and ctx allows.
func (s *Service) persist(ctx context.Context, fn func(ctx context.Context) error) error {
	for {
		try, cancel := context.WithTimeout(ctx, endTimeout)
		err := s.store.InTx(try, fn)
		late := try.Err() != nil
		cancel()
		if !late && !apperr.Is(err, apperr.DBUnavailable) && !apperr.Is(err, apperr.DBBusy) || err == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(commitPause):
		}
	}
}

func (s *Service) completion(g *generation, messageID uuid.UUID, lastSeq int64) sqlc.CompleteAIResponseParams {
	usage := s.usage(g)
	return sqlc.CompleteAIResponseParams{
		ID: usage.ID, OwnerID: usage.OwnerID, Attempt: usage.Attempt, LastSeq: lastSeq, MessageID: messageID,
		Content: g.text.String(), FinishReason: string(g.result.FinishReason),
		PromptTokens: usage.PromptTokens, CompletionTokens: usage.CompletionTokens,
		ReasoningTokens: usage.ReasoningTokens, CachedTokens: usage.CachedTokens,
	}
}

func (s *Service) usage(g *generation) sqlc.RecordAIResponseUsageParams {
	usage := g.usage()
	return sqlc.RecordAIResponseUsageParams{
		ID: g.owner.response.ID, OwnerID: s.id, Attempt: g.owner.response.Attempt,
		PromptTokens: tokens(usage.PromptTokens), CompletionTokens: tokens(usage.CompletionTokens),
		ReasoningTokens: tokens(usage.ReasoningTokens), CachedTokens: tokens(usage.CachedTokens),
	}
}

// maxTokens is the most that the contract can say of an answer.
const maxTokens = 10_000_000

// tokens is a count as upstream gives it, within the contract's bounds.
func tokens(n int) int32 {
	return int32(min(max(n, 0), maxTokens))
}

func (s *Service) logEnd(ctx context.Context, g *generation, err error) {
	o := g.owner
	level := slog.LevelInfo
	attrs := []slog.Attr{
		slog.Any("ai_response_id", o.response.ID),
		slog.Any("ticket_id", o.response.TicketID),
		slog.Int("attempt", int(o.response.Attempt)),
		slog.String("model", g.model),
		slog.Duration("dur", time.Since(o.response.CreatedAt)),
		slog.Int("completion_tokens", g.usage().CompletionTokens),
	}
	if err != nil {
		attrs = append(attrs, slog.Any("error", err))
		if !errors.Is(err, errLost) && !errors.Is(err, errStopping) {
			level = slog.LevelError
		}
	}
	s.options.Logger.LogAttrs(ctx, level, "ai response ended", attrs...)
}
