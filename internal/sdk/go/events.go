package client

import (
	"context"
	"iter"
	"net/http"

	"github.com/supportbackend/support/gen/client/plain"
)

// The size of FollowEvents' pages, and how many seconds a request waits for the first event.
const (
	followLimit int32 = 200
	followWait  int32 = 20
)

// EventsFrom says where FollowEvents begins, and which events it yields.
type EventsFrom struct {
	// After is the position of the last event that you have processed; nil begins with the oldest event that the server
	// keeps.
	After *int64
	// Types are the types of events, separated by commas; empty for all.
	Types string
	// TicketID selects the events of one ticket; nil for all.
	TicketID *plain.ID
	// OnOutage is called with the error when the server or the network begins to fail, and with nil when a request succeeds
	// again, for example to log it. It may be nil.
	OnOutage func(err error)
}

// FollowEvents iterates over the desk's events in order, and waits for new ones until ctx ends. It reconnects whenever
// the server or the network fails, without limit. Store each event's Position in the same transaction as the results of
// processing it, and begin there next time: then you miss nothing and do nothing twice, even after a crash.
//
// An error ends the iteration. It is one that retrying does not fix, such as ProblemCodePositionExpired (see [IsProblem])
// when the server no longer keeps the events after the position.
func (s *Support) FollowEvents(ctx context.Context, from EventsFrom, options ...CallOption) iter.Seq2[plain.DeskEvent, error] {
	return func(yield func(plain.DeskEvent, error) bool) {
		limit, wait := followLimit, followWait
		params := plain.ListEventsParams{After: from.After, TicketID: from.TicketID, Limit: &limit, Wait: &wait}
		if from.Types != "" {
			params.Types = &from.Types
		}
		for {
			page, err := s.nextEvents(ctx, params, from.OnOutage, options)
			if err != nil {
				yield(plain.DeskEvent{}, err)
				return
			}
			for _, event := range page.Events {
				if !yield(event, nil) {
					return
				}
			}
			params.After = &page.Position
		}
	}
}

// nextEvents reads a page, and retries for as long as that may help.
func (s *Support) nextEvents(
	ctx context.Context, params plain.ListEventsParams, onOutage func(error), options []CallOption,
) (*plain.DeskEvents, error) {
	if onOutage == nil {
		onOutage = func(error) {}
	}
	for n := 0; ; n++ {
		page, err := call[plain.DeskEvents](ctx, s, operation{repeatable: true}, options, func(server string) (*http.Request, error) {
			return plain.NewListEventsRequest(server, &params)
		})
		switch {
		case err == nil && n > 0:
			onOutage(nil)
			return page, nil
		case err == nil || !mayPass(ctx, err):
			return page, err
		case n == 0:
			onOutage(err)
			params.Wait = new(int32) // The end of an outage is reported immediately.
		}
		if err := wait(ctx, max(lengthen(firstPause, n), pauseOf(err))); err != nil {
			return nil, err
		}
	}
}
