package assistant

import (
	"context"

	"github.com/google/uuid"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant/eventlog"
	"github.com/supportbackend/support/internal/auth"
)

// opening leads a reader to the first event of the answer to a ticket's turn. It can be interrupted and resumed, so
// that the server can send comments to the reader in between.
type opening struct {
	claims   *claimer
	hub      *eventlog.Hub
	actor    auth.Actor
	ticketID uuid.UUID
	last     eventlog.EventID
	// afterMessage means that the actor has just added the message to be answered.
	afterMessage bool
	// claim is the newest claim, and asked is false once it is outdated.
	claim claim
	asked bool
	// events waits for the first event.
	events *eventlog.Reader
	// late means that the reader's stream has begun: a failure is an event of the stream.
	late bool
}

// proceed returns the events once there is something to read. If ctx ends first, it may be called again.
func (o *opening) proceed(ctx context.Context) (*eventlog.Reader, error) {
	for {
		var err error
		switch {
		case !o.asked:
			err = o.ask(ctx)
		case o.claim.waiting:
			if err = o.hub.AwaitEnd(ctx, o.claim.response); err == nil {
				o.asked = false // An earlier turn's answer has ended.
			}
		default:
			if err = o.first(ctx); err == nil {
				return o.events, nil
			}
			if apperr.Is(err, apperr.Superseded) {
				o.asked, err = false, nil // There was a new message before the answer began.
			}
		}
		if err != nil {
			return nil, err
		}
	}
}

// ask starts or joins the answer to the current turn.
func (o *opening) ask(ctx context.Context) (err error) {
	o.close()
	// Only waits for events may be interrupted: an interrupted statement looks like a lost database.
	o.claim, err = o.claims.startOrJoin(context.WithoutCancel(ctx), o.actor, o.ticketID, Request{reading: true, afterMessage: o.afterMessage})
	if err == nil && !sees(o.actor, o.claim.response) {
		err = errInReview()
	}
	o.asked = err == nil
	return err
}

// first waits for the first event. If it is a failure, first returns it, unless the failure belongs in the stream.
func (o *opening) first(ctx context.Context) (err error) {
	if o.events == nil {
		if o.events, err = o.hub.Read(context.WithoutCancel(ctx), o.claim.response, o.last); err != nil {
			return err
		}
	}
	event, err := o.events.AwaitFirst(ctx)
	if err != nil {
		return err
	}
	if failed, ok := event.(eventlog.Failed); ok && (!o.late || failed.Err.Code == apperr.Superseded) {
		return failed.Err
	}
	if o.claim.response.LastSeq > 0 {
		return nil
	}
	// Only now is the model known.
	if w, here := o.events.Writing(); here {
		response := o.claim.response
		response.Attempt, response.Model = w.Attempt, w.Model
		o.events.Introduce(response)
		return nil
	}
	response, err := o.claims.store.GetAIResponse(context.WithoutCancel(ctx), o.claim.response.ID)
	if err != nil {
		return err
	}
	o.events.Introduce(response)
	return nil
}

func (o *opening) close() {
	if o.events != nil {
		o.events.Close()
		o.events = nil
	}
}
