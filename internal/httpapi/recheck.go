package httpapi

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
)

var errWithdrawn = errors.New("httpapi: the caller's session has ended or its account has changed")

// permits checks, while streams are open, whether their callers are still allowed to read them. It asks once for all
// streams of a caller: there may be thousands.
type permits struct {
	every time.Duration
	// ask returns InvalidToken for a caller who is no longer allowed to read.
	ask func(context.Context, auth.Actor) error

	mu   sync.Mutex
	held map[auth.Actor]*permit
}

// permit holds the open streams of one caller.
type permit struct {
	// streams are the contexts of the caller's open streams, with what ends them.
	streams map[context.Context]context.CancelCauseFunc
	timer   *time.Timer
}

func newPermits(every time.Duration, ask func(context.Context, auth.Actor) error) *permits {
	return &permits{every: every, ask: ask, held: make(map[auth.Actor]*permit)}
}

// whileAllowed returns a context that ends with the request's or, with errWithdrawn as its cause, once the caller's
// session has ended or the account has changed. The caller must call stop.
//
// An access token that expires does not end it: streams are short, and a client that is cut off in the middle of an answer
// would only reconnect with its next token. An unavailable database does not end it either.
func (p *permits) whileAllowed(ctx context.Context) (_ context.Context, stop func()) {
	actor := actorFrom(ctx)
	ctx, cancel := context.WithCancelCause(ctx)
	if actor == (auth.Actor{}) {
		return ctx, func() { cancel(nil) } // The operation is public.
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	its := p.held[actor]
	if its == nil {
		its = &permit{streams: make(map[context.Context]context.CancelCauseFunc)}
		p.held[actor] = its
		asking := context.WithoutCancel(ctx)
		// A timer is cheaper than a goroutine.
		its.timer = time.AfterFunc(p.every, func() { p.check(asking, actor, its) })
	}
	its.streams[ctx] = cancel
	return ctx, func() {
		cancel(nil)
		p.leave(ctx, actor, its)
	}
}

func (p *permits) check(ctx context.Context, actor auth.Actor, its *permit) {
	err := p.ask(ctx, actor)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.held[actor] != its: // Its last stream has ended.
	case apperr.Is(err, apperr.InvalidToken):
		delete(p.held, actor)
		for _, withdraw := range its.streams {
			withdraw(errWithdrawn)
		}
	default:
		its.timer.Reset(p.every)
	}
}

// leave forgets a stream that has ended.
func (p *permits) leave(stream context.Context, actor auth.Actor, its *permit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(its.streams, stream)
	if len(its.streams) == 0 && p.held[actor] == its {
		its.timer.Stop()
		delete(p.held, actor)
	}
}
