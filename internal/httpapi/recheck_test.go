package httpapi

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/apperr"
)

const recheck = 30 * time.Second

// asking returns a request's context whose permit returns these results in turn, and the times at which it was checked.
func asking(ctx context.Context, answers ...error) (_ context.Context, asked *[]time.Duration) {
	begin := time.Now()
	asked = &[]time.Duration{}
	info := &requestInfo{permit: permit{
		every: recheck,
		stillAllowed: func(context.Context) error {
			*asked = append(*asked, time.Since(begin))
			if len(*asked) > len(answers) {
				return nil
			}
			return answers[len(*asked)-1]
		},
	}}
	return context.WithValue(ctx, requestInfoKey{}, info), asked
}

func TestStreamEndsWithinAMinuteOfItsPermit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		down := apperr.New(apperr.DBUnavailable, "")
		ctx, asked := asking(t.Context(), nil, down, context.DeadlineExceeded, apperr.New(apperr.InvalidToken, ""))
		ctx, stop := whileAllowed(ctx)
		defer stop()
		<-ctx.Done()
		require.Equal(t, errWithdrawn, context.Cause(ctx))
		const step = recheck
		require.Equal(t, []time.Duration{step, 2 * step, 3 * step, 4 * step}, *asked, "a database error does not end the stream")
		require.Less(t, step+5*time.Second, time.Minute)
	})
}

func TestEndedStreamIsNotRechecked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, asked := asking(t.Context())
		ctx, stop := whileAllowed(ctx)
		time.Sleep(recheck + time.Second) //nolint:forbidigo // synctest's clock
		synctest.Wait()
		stop()
		require.ErrorIs(t, ctx.Err(), context.Canceled)
		require.NotEqual(t, errWithdrawn, context.Cause(ctx))
		time.Sleep(10 * recheck) //nolint:forbidigo // synctest's clock
		synctest.Wait()
		require.Len(t, *asked, 1)
	})
}

func TestRequestWithoutAPermitIsNotRechecked(t *testing.T) {
	t.Parallel()
	ctx, stop := whileAllowed(t.Context())
	require.NoError(t, ctx.Err())
	stop()
	require.ErrorIs(t, ctx.Err(), context.Canceled)
}
