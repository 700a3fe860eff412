package writer

import (
	"context"
	"errors"
	"time"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant/eventlog"
	"github.com/supportbackend/support/internal/assistant/upstream"
	"github.com/supportbackend/support/internal/background"
	"github.com/supportbackend/support/internal/store"
)

const (
	// endTimeout bounds one try to record the end of an answer. Tries continue until one succeeds or the response is
	// another owner's: an outage of the database must not lose an answer that is complete in memory.
	endTimeout = 30 * time.Second
	// leaveTimeout bounds the work of leaving a response to others.
	leaveTimeout = 10 * time.Second
)

// ending ends responses: with a message, with a failure, or by leaving them to others.
type ending struct {
	store  *store.Store
	hub    *eventlog.Hub
	roster *roster
	leases *leases
	// recording logs when ends cannot be recorded.
	recording *background.Outage
}

// answer is the generated text with its facts.
type answer struct {
	text         string
	finishReason string
	usage        upstream.Usage
}

// complete stores the answer and ends the response and its log in one transaction, and publishes the end. The ticket's
// lock decides between this and a human who steps in.
func (e ending) complete(ctx context.Context, o *owner, a answer) error {
	lastSeq, err := o.flush(ctx)
	if err != nil {
		return err
	}
	usage := usageOf(o, a)
	end := sqlc.CompleteAIResponseParams{
		ID: usage.ID, OwnerID: usage.OwnerID, Attempt: usage.Attempt, LastSeq: lastSeq,
		Content: a.text, FinishReason: a.finishReason,
		PromptTokens: usage.PromptTokens, CompletionTokens: usage.CompletionTokens,
		ReasoningTokens: usage.ReasoningTokens, CachedTokens: usage.CachedTokens,
	}
	var response sqlc.AIResponse
	err = e.persist(ctx, o, func(ctx context.Context) error {
		return e.store.InTx(ctx, func(ctx context.Context) error {
			// The writer acts for the desk, which may see every ticket.
			lock := sqlc.LockTicketAheadParams{ID: o.response.TicketID, Staff: true}
			if err := e.store.LockTicketAhead(store.Ahead(ctx), lock); err != nil {
				return err
			}
			response, err = e.keep(store.Last(ctx), o, end)
			return err
		})
	}, func(current sqlc.AIResponse) bool {
		// This commit may have succeeded before, and only its reply was lost.
		response = current
		return current.FinishReason != nil && current.Attempt == o.response.Attempt
	})
	if err != nil {
		return err
	}
	if response.CustomerID == nil {
		e.hub.Publish(o.feed, eventlog.Ready{ID: eventlog.EndOf(response), Response: response})
		return nil
	}
	e.hub.Publish(o.feed, eventlog.Done{ID: eventlog.EndOf(response), Response: response, Message: sqlc.Message{
		ID: response.ID, TicketID: response.TicketID, Author: sqlc.MessageAuthorAI, Content: end.Content, CreatedAt: *response.FinishedAt,
	}})
	return nil
}

// keep stores the text: as a message or, if only staff may see it, with the response.
func (e ending) keep(ctx context.Context, o *owner, end sqlc.CompleteAIResponseParams) (sqlc.AIResponse, error) {
	if o.response.CustomerID == nil {
		return e.store.CompleteStaffAIResponse(ctx, sqlc.CompleteStaffAIResponseParams{
			ID: end.ID, OwnerID: end.OwnerID, Attempt: end.Attempt, LastSeq: end.LastSeq,
			Content: end.Content, FinishReason: end.FinishReason,
			PromptTokens: end.PromptTokens, CompletionTokens: end.CompletionTokens,
			ReasoningTokens: end.ReasoningTokens, CachedTokens: end.CachedTokens,
		})
	}
	return e.store.CompleteAIResponse(ctx, end)
}

// giveUp ends a response without an answer and returns the reason. It leaves a response that has another owner to that
// owner and, while the process shuts down, to another replica.
func (e ending) giveUp(ctx context.Context, o *owner, a answer, err error) error {
	if ctx.Err() == nil && !errors.Is(err, errLost) {
		failure := Failure(err)
		err = e.fail(ctx, o, a, failure)
		if err == nil {
			return failure
		}
	}
	cause := context.Cause(ctx)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	if errors.Is(cause, errStopping) {
		e.handOver(ctx, o)
		return errStopping
	}
	if cause != nil {
		err = cause
	}
	// The new owner writes the rest, and the follower reads it.
	if e.roster.isCurrent(o) {
		e.hub.Resign(o.feed)
	}
	if recordErr := e.store.RecordAIResponseUsage(ctx, usageOf(o, a)); recordErr != nil {
		err = errors.Join(err, recordErr)
	}
	return err
}

// fail ends the response with a failed event. It returns errLost when the response has ended in another way.
func (e ending) fail(ctx context.Context, o *owner, a answer, failure *apperr.Error) error {
	lastSeq, err := o.flush(ctx)
	if err != nil {
		return err
	}
	usage := usageOf(o, a)
	end := sqlc.FailAIResponseParams{
		ID: usage.ID, OwnerID: usage.OwnerID, Attempt: usage.Attempt, LastSeq: lastSeq, ErrorCode: string(failure.Code),
		RetryAfterSeconds: retryAfterSeconds(failure),
		PromptTokens:      usage.PromptTokens, CompletionTokens: usage.CompletionTokens,
		ReasoningTokens: usage.ReasoningTokens, CachedTokens: usage.CachedTokens,
	}
	var event sqlc.AIResponseEvent
	err = e.persist(ctx, o, func(ctx context.Context) error {
		event, err = e.store.FailAIResponse(ctx, end)
		return err
	}, func(sqlc.AIResponse) bool { return false })
	if err != nil {
		return err
	}
	id := eventlog.EventID{ResponseID: usage.ID, Seq: event.Seq, Attempt: event.Attempt}
	e.hub.Publish(o.feed, eventlog.Failed{ID: id, Err: failure})
	return nil
}

// handOver leaves the response to another replica, and tells the readers to reconnect.
func (e ending) handOver(ctx context.Context, o *owner) {
	e.leases.release(ctx, o.response)
	e.hub.Abandon(o.feed)
}

// persist calls end until it succeeds or the response is another owner's. It retries while the database is unavailable and
// ctx allows.
func (e ending) persist(
	ctx context.Context, o *owner, end func(ctx context.Context) error, ended func(current sqlc.AIResponse) bool,
) error {
	for {
		try, cancel := context.WithTimeout(ctx, endTimeout)
		err := e.repairing(try, o, end, ended)
		late := try.Err() != nil
		cancel()
		if !late && !apperr.Is(err, apperr.DBUnavailable) && !apperr.Is(err, apperr.DBBusy) || err == nil {
			e.recording.Note(ctx, nil)
			return err
		}
		e.recording.Note(ctx, err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(commitPause):
		}
	}
}

// repairing calls end until it finds the response in the state in which this owner left it, or ended. In between, it
// restores what a crash of the database has lost of the log. It returns errLost when nothing is missing: then the
// response is no longer this owner's.
func (e ending) repairing(
	ctx context.Context, o *owner, end func(ctx context.Context) error, ended func(current sqlc.AIResponse) bool,
) error {
	for {
		err := end(ctx)
		if !errors.Is(err, store.ErrNoRows) {
			return err
		}
		current, err := e.store.GetAIResponse(ctx, o.response.ID)
		if err != nil || ended(current) {
			return err
		}
		done, err := putBack(ctx, e.store, o, current.LastSeq)
		if err == nil && !done {
			err = errLost
		}
		if err != nil {
			return err
		}
	}
}

// usageOf returns the usage of the answer, for the response's row.
func usageOf(o *owner, a answer) sqlc.RecordAIResponseUsageParams {
	return sqlc.RecordAIResponseUsageParams{
		ID: o.response.ID, OwnerID: o.id, Attempt: o.response.Attempt,
		PromptTokens: tokens(a.usage.PromptTokens), CompletionTokens: tokens(a.usage.CompletionTokens),
		ReasoningTokens: tokens(a.usage.ReasoningTokens), CachedTokens: tokens(a.usage.CachedTokens),
	}
}

// maxTokens is the contract's maximum for each count of tokens.
const maxTokens = 10_000_000

// tokens clamps upstream's count to the contract's bounds.
func tokens(n int) int32 {
	return int32(min(max(n, 0), maxTokens))
}
