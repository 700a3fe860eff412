package httpapi

import (
	"context"
	"errors"
	"time"

	"github.com/supportbackend/support/internal/apperr"
)

var errWithdrawn = errors.New("httpapi: the caller's session has ended or its account has changed")

// permit says, as long as a request runs, whether its caller may still make it.
type permit struct {
	stillAllowed func(context.Context) error
	every        time.Duration
}

// whileAllowed returns a context that ends with the request's, or, with errWithdrawn as its cause, once its caller's session
// has ended or its account has changed. stop must be called.
//
// That the access token expires does not end it: a stream ends by itself soon enough, and a client that is cut off in the
// middle of an answer would only come back with the next token. A database that does not answer does not end it either.
func whileAllowed(ctx context.Context) (_ context.Context, stop func()) {
	p := infoFrom(ctx).permit
	ctx, cancel := context.WithCancelCause(ctx)
	if p.stillAllowed == nil {
		return ctx, func() { cancel(nil) } // Everybody may.
	}
	var timer *time.Timer
	set := make(chan struct{})
	// A timer instead of a goroutine: there may be many thousands of streams.
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
