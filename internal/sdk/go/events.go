package client

import (
	"context"
	"iter"
	"net/http"

	"github.com/supportbackend/support/gen/client/plain"
)

// How many events a page of FollowEvents has at most, and how many seconds a request waits for the first of them.
const (
	followLimit int32 = 200
	followWait  int32 = 20
)

// EventsFrom is where FollowEvents begins, and what it follows.
type EventsFrom struct {
	// After is the position of the last event that you have processed; nil for the oldest that the server keeps.
	After *int64
	// Types are those that are wanted, separated by commas; empty for all.
	Types string
	// TicketID is the ticket whose events are wanted; nil for all.
	TicketID *plain.ID
}

// FollowEvents iterates over the events of the desk, in their order, and waits for the next ones until ctx ends. It comes back
// whenever the server or the network fails, as often as it takes. Store each event's Position in the transaction with what you
// make of it, and begin there next time: then nothing is missed or done twice, whoever is killed in between.
//
// An error is the last: what does not pass by itself, such as plain.PositionExpired (see [IsProblem]) when the server no
// longer keeps what comes after the position.
func (s *Support) FollowEvents(ctx context.Context, from EventsFrom, options ...CallOption) iter.Seq2[plain.DeskEvent, error] {
	return func(yield func(plain.DeskEvent, error) bool) {
		limit, wait := followLimit, followWait
		params := plain.ListEventsParams{After: from.After, TicketID: from.TicketID, Limit: &limit, Wait: &wait}
		if from.Types != "" {
			params.Types = &from.Types
		}
		for {
			page, err := s.nextEvents(ctx, params, options)
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

// nextEvents reads a page, and tries as long as that may help.
func (s *Support) nextEvents(ctx context.Context, params plain.ListEventsParams, options []CallOption) (*plain.DeskEvents, error) {
	for n := 0; ; n++ {
		page, err := call[plain.DeskEvents](ctx, s, operation{repeatable: true}, options, func(server string) (*http.Request, error) {
			return plain.NewListEventsRequest(server, &params)
		})
		if err == nil || !mayHelp(ctx, err) {
			return page, err
		}
		if err := wait(ctx, max(lengthen(firstPause, n), pauseOf(err))); err != nil {
			return nil, err
		}
	}
}
