package assistant_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant/eventlog"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/ticket"
)

func TestDrainedReplicaSendsReadersOfOthersAway(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.hold(t, "for ever", 3)
	b.open(t).Close()
	other := b.another(t)
	reader, err := other.Open(t.Context(), b.customer, b.ticket.ID, eventlog.EventID{})
	require.NoError(t, err)
	// The customer writes again and waits for the next answer, which must wait for the running one.
	_, err = ticket.NewService(b.store, ticket.Options{AIMode: sqlc.AIModeAuto}).AddMessage(t.Context(), b.customer, b.ticket.ID, "And another thing.")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), waitAtMost)
	defer cancel()
	waiting := make(chan error, 1)
	go func() {
		_, err := other.Open(ctx, b.customer, b.ticket.ID, eventlog.EventID{})
		waiting <- err
	}()
	other.Drain(t.Context())
	events := readSoon(t, reader)
	require.IsType(t, eventlog.Delta{}, events[len(events)-1], "the answer continues on another replica")
	err = <-waiting
	require.True(t, apperr.Is(err, apperr.Draining), "%v", err)
	_, err = other.Open(ctx, b.customer, b.ticket.ID, eventlog.EventID{})
	require.True(t, apperr.Is(err, apperr.Draining), "%v", err)
}

func TestAnswerSurvivesARollingRestart(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	for range 3 {
		b.hold(t, "for ever", 3)
	}
	reader := b.open(t)
	reader.Close()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	// A rolling restart: each replica takes over before it stops in turn.
	ctx, stop := context.WithTimeout(t.Context(), 3*waitAtMost)
	defer stop()
	replica := b.service
	for attempt := 2; attempt <= 4; attempt++ {
		next := b.another(t)
		replica.Drain(ended)
		replica = next
		require.NoError(t, b.simulator.Wait(ctx, func(records []groqsim.RequestRecord) bool { return len(records) == attempt }))
	}
	last, err := replica.Open(t.Context(), b.customer, b.ticket.ID, eventlog.EventID{})
	require.NoError(t, err)
	events := readSoon(t, last)
	require.IsType(t, eventlog.Done{}, events[len(events)-1])
}
