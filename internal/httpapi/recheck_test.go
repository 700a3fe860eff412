package httpapi

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
)

const recheck = 30 * time.Second

// asking returns permits whose checks return these results in turn, and the times of the checks.
func asking(answers ...error) (_ *permits, asked *[]time.Duration) {
	begin := time.Now()
	asked = &[]time.Duration{}
	return newPermits(recheck, func(context.Context, auth.Actor) error {
		*asked = append(*asked, time.Since(begin))
		if len(*asked) > len(answers) {
			return nil
		}
		return answers[len(*asked)-1]
	}), asked
}

// request returns the context of a request by a caller.
func request(ctx context.Context, caller auth.Actor) context.Context {
	return context.WithValue(ctx, requestInfoKey{}, &requestInfo{actor: caller})
}

func TestStreamEndsWithinAMinuteOfItsPermit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		down := apperr.New(apperr.DBUnavailable, "")
		p, asked := asking(nil, down, context.DeadlineExceeded, apperr.New(apperr.InvalidToken, ""))
		ctx, stop := p.whileAllowed(request(t.Context(), auth.Actor{ID: uuid.New()}))
		defer stop()
		<-ctx.Done()
		require.Equal(t, errWithdrawn, context.Cause(ctx))
		const step = recheck
		require.Equal(t, []time.Duration{step, 2 * step, 3 * step, 4 * step}, *asked, "a database error does not end the stream")
		require.Less(t, step+5*time.Second, time.Minute)
	})
}

func TestStreamsOfOneCallerAreCheckedTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		one, other := auth.Actor{ID: uuid.New(), SessionID: uuid.New()}, auth.Actor{ID: uuid.New(), SessionID: uuid.New()}
		var checks, otherChecks atomic.Int64
		p := newPermits(recheck, func(_ context.Context, caller auth.Actor) error {
			if caller == other {
				otherChecks.Add(1)
				return nil
			}
			if checks.Add(1) == 2 {
				return apperr.New(apperr.InvalidToken, "")
			}
			return nil
		})
		var streams []context.Context
		for range 100 {
			ctx, stop := p.whileAllowed(request(t.Context(), one))
			t.Cleanup(stop)
			streams = append(streams, ctx)
			time.Sleep(recheck / 200) //nolint:forbidigo // synctest's clock
		}
		another, stop := p.whileAllowed(request(t.Context(), other))
		defer stop()
		for _, ctx := range streams {
			<-ctx.Done()
			require.Equal(t, errWithdrawn, context.Cause(ctx))
		}
		require.EqualValues(t, 2, checks.Load())
		require.NoError(t, another.Err())
		require.EqualValues(t, 1, otherChecks.Load())
	})
}

func TestEndedStreamIsNotRechecked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, asked := asking()
		ctx, stop := p.whileAllowed(request(t.Context(), auth.Actor{ID: uuid.New()}))
		time.Sleep(recheck + time.Second) //nolint:forbidigo // synctest's clock
		synctest.Wait()
		stop()
		require.ErrorIs(t, ctx.Err(), context.Canceled)
		require.NotEqual(t, errWithdrawn, context.Cause(ctx))
		require.Empty(t, p.held)
		time.Sleep(10 * recheck) //nolint:forbidigo // synctest's clock
		synctest.Wait()
		require.Len(t, *asked, 1)
	})
}

func TestRequestWithoutAPermitIsNotRechecked(t *testing.T) {
	t.Parallel()
	p, _ := asking()
	ctx, stop := p.whileAllowed(t.Context())
	require.NoError(t, ctx.Err())
	stop()
	require.ErrorIs(t, ctx.Err(), context.Canceled)
}
