package httpapi

import (
	"context"
	"errors"
	"time"

	"github.com/supportbackend/support/internal/apperr"
)

var errWithdrawn = errors.New("httpapi: the caller's session has ended or its account has changed")

// permit tells, while a request runs, whether its caller is still allowed to make it.
type permit struct {
	stillAllowed func(context.Context) error
	every        time.Duration
}

// whileAllowed returns a context that ends with the request's or, with errWithdrawn as its cause, once the caller's
// session has ended or the account has changed. The caller must call stop.
//
// An access token that expires does not end it: streams are short, and a client that is cut off in the middle of an answer
// would only reconnect with its next token. An unavailable database does not end it either.
func whileAllowed(ctx context.Context) (_ context.Context, stop func()) {
	p := infoFrom(ctx).permit
	ctx, cancel := context.WithCancelCause(ctx)
	if p.stillAllowed == nil {
		return ctx, func() { cancel(nil) } // The operation is public.
	}
	var timer *time.Timer
	set := make(chan struct{})
	// A timer is cheaper than a goroutine: there may be thousands of streams.
	timer = time.AfterFunc(p.every, func() {
		<-set
		err := p.stillAllowed(ctx)
		switch {
		case ctx.Err() != nil:
		case apperr.Is(err, apperr.InvalidToken):
			cancel(errWithdrawn)
		default:
			timer.Reset(p.every)
		}
	})
	close(set)
	return ctx, func() {
		cancel(nil)
		timer.Stop()
	}
}
