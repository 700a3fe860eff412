package assistant

import (
	"context"
	"errors"
	"io"

	"github.com/google/uuid"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
)

// opening leads a reader to the first event of the answer to a ticket's turn. It may be interrupted and goes on from where
// it was, so that the reader can be told meanwhile that somebody is there.
type opening struct {
	service  *Service
	actor    auth.Actor
	ticketID uuid.UUID
	last     EventID
	// claim is what was found last, and asked is false once that no longer holds.
	claim claim
	asked bool
	// reader waits for the first event.
	reader *Reader
	// late says that the reader has been promised a stream: a failure is an event of it.
	late bool
}

// ask starts or joins the answer to the turn as it is now.
func (o *opening) ask(ctx context.Context) (err error) {
	o.close()
	// Only waits for events are interrupted: a statement that is cut off says that the database is gone.
	o.claim, err = o.service.startOrJoin(context.WithoutCancel(ctx), o.actor, o.ticketID, Request{reading: true})
	o.asked = err == nil
	return err
}

func (o *opening) close() {
	if o.reader != nil {
		o.reader.Close()
		o.reader = nil
	}
}

// open returns when the reader has something to read. When ctx ends first, it may be called again.
func (r *Reader) open(ctx context.Context) error {
	for o := r.opening; o != nil; {
		var err error
		switch {
		case !o.asked:
			err = o.ask(ctx)
		case o.claim.waiting:
			if err = o.service.await(ctx, o.claim.response); err == nil {
				o.asked = false // An earlier turn's answer has ended.
			}
		default:
			if err = o.first(ctx); err == nil {
				*r = *o.reader
				return nil
			}
			if apperr.Is(err, apperr.Superseded) {
				o.asked, err = false, nil // Somebody has said something before the answer began.
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// first waits for the first event. It returns the failure that the event is, unless that is a matter of the stream.
func (o *opening) first(ctx context.Context) (err error) {
	s := o.service
	if o.reader == nil {
		if o.reader, err = s.read(context.WithoutCancel(ctx), o.claim.response, o.last); err != nil {
			return err
		}
	}
	event, err := o.reader.await(ctx)
	if err != nil {
		return err
	}
	if failed, ok := event.(Failed); ok && (!o.late || failed.Err.Code == apperr.Superseded) {
		return failed.Err
	}
	if o.claim.response.LastSeq > 0 {
		return nil
	}
	// Which model writes was open until now.
	response, err := s.store.GetAIResponse(context.WithoutCancel(ctx), o.claim.response.ID)
	if err != nil {
		return err
	}
	o.reader.pending[0] = s.entry(Start{Response: response})
	return nil
}

// await returns the first event when there is one.
func (r *Reader) await(ctx context.Context) (Event, error) {
	first, err := r.feed.after(ctx, 0, r.rewound)
	for errors.Is(err, errRewound) {
		// The reader was given nothing yet.
		r.rewound = r.feed.times()
		first, err = r.feed.after(ctx, 0, r.rewound)
	}
	if errors.Is(err, io.EOF) {
		return nil, errComeBack()
	}
	if err != nil {
		return nil, err
	}
	return first[0].Event, nil
}

// Opening reports whether Next has more to do than to wait for the next event.
func (r *Reader) Opening() bool { return r.opening != nil }
