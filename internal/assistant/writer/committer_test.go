package writer

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/assistant/eventlog"
)

// commitsOf runs a committer whose commits take that long, while this many responses each receive a token at every
// interval, and returns when the commits began.
func commitsOf(t *testing.T, responses int, took, interval time.Duration, tokens int) (begun []time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c := newCommitter(
			func(_ context.Context, batch map[uuid.UUID]piece) (map[uuid.UUID]fate, error) {
				begun = append(begun, time.Since(start))
				<-time.After(took)
				fates := make(map[uuid.UUID]fate, len(batch))
				for id := range batch {
					fates[id] = inLog
				}
				return fates, nil
			},
			func(*owner, eventlog.Delta) {}, func(*owner) {}, slog.New(slog.DiscardHandler),
		)
		ctx, cancel := context.WithCancel(t.Context())
		go c.run(ctx)
		owners := make([]*owner, responses)
		for i := range owners {
			owners[i] = newOwner(uuid.New(), sqlc.AIResponse{ID: uuid.New(), Attempt: 1}, nil, func(error) {})
		}
		for range tokens {
			// The lock keeps the committer from beginning with some of them.
			c.mu.Lock()
			for _, o := range owners {
				o.add("x")
				c.dirty[o] = struct{}{}
			}
			c.mu.Unlock()
			c.wakeUp()
			<-time.After(interval)
		}
		<-time.After(time.Second)
		cancel()
	})
	return begun
}

func TestTokensOfAnIdleReplicaAreCommittedAtOnce(t *testing.T) {
	t.Parallel()
	for responses, interval := range map[int]time.Duration{1: 1500 * time.Microsecond, 3: 6 * time.Millisecond} {
		for i, begun := range commitsOf(t, responses, time.Millisecond, interval, 50) {
			require.Equal(t, time.Duration(i)*interval, begun)
		}
	}
}

func TestCommitsOfManyResponsesAreFartherApart(t *testing.T) {
	t.Parallel()
	for responses, want := range map[int]time.Duration{
		1: 2 * time.Millisecond, 3: 6 * time.Millisecond, 5: 10 * time.Millisecond, 50: 10 * time.Millisecond,
	} {
		begun := commitsOf(t, responses, time.Millisecond, 100*time.Microsecond, 1000)
		for i := range begun[1:] {
			require.Equal(t, want, begun[i+1]-begun[i], responses)
		}
	}
}

func TestSlowCommitsFollowEachOther(t *testing.T) {
	t.Parallel()
	begun := commitsOf(t, 1, 30*time.Millisecond, time.Millisecond, 100)
	for i := range begun[1:] {
		require.Equal(t, 30*time.Millisecond, begun[i+1]-begun[i])
	}
}
