package assistant_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant"
	"github.com/supportbackend/support/internal/assistant/eventlog"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// crowd holds all connections that requests share, as requests for a locked ticket do, until release is called.
func crowd(t *testing.T, s *store.Store) (release func()) {
	t.Helper()
	held, end := make(chan struct{}), make(chan struct{})
	full := false
	for !full {
		ended := make(chan error, 1)
		go func() {
			ended <- s.InTx(context.Background(), func(context.Context) error {
				held <- struct{}{}
				<-end
				return nil
			})
		}()
		select {
		case <-held:
		case err := <-ended:
			require.True(t, apperr.Is(err, apperr.DBBusy), "%v", err)
			full = true
		}
	}
	release = sync.OnceFunc(func() { close(end) })
	t.Cleanup(release)
	return release
}

// Streams go on while requests wait for all connections, where the answer is written and elsewhere.
func TestStreamsDoNotWaitBehindRequests(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	replica := storetest.Open(t, b.url)
	other := assistant.NewService(replica, assistant.DefaultOptions(b.client, t.Output()))
	run(t, other)
	writing := storetest.Open(t, b.url)
	owner := assistant.NewService(writing, assistant.DefaultOptions(b.client, t.Output()))
	run(t, owner)
	require.NoError(t, b.simulator.Enqueue(groqsim.Script{
		Deltas: []string{"before ", "after"}, Gates: []groqsim.Gate{{Name: "crowd", After: 1}, {Name: "end", After: 2}},
	}))
	response, _, err := owner.Start(t.Context(), b.customer, b.ticket.ID, assistant.Request{})
	require.NoError(t, err)
	readers := map[string]*assistant.Reader{}
	for name, service := range map[string]*assistant.Service{"owner": owner, "other": other} {
		readers[name], err = service.OpenResponse(t.Context(), b.customer, response.ID, eventlog.EventID{})
		require.NoError(t, err)
		require.Equal(t, "before ", textWithin(t, readers[name], "before "), name)
	}
	releases := []func(){crowd(t, writing), crowd(t, replica)}
	b.simulator.Release("crowd")
	for name, reader := range readers {
		require.Equal(t, "after", textWithin(t, reader, "after"), name)
	}
	for _, release := range releases {
		release()
	}
	b.simulator.Release("end")
	for name, reader := range readers {
		events := readAll(t, reader)
		require.IsType(t, eventlog.Done{}, events[len(events)-1], name)
	}
}

// textWithin reads deltas until their text is as long as the expected one.
func textWithin(t *testing.T, r *assistant.Reader, want string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var text strings.Builder
	for text.Len() < len(want) {
		entry, err := r.Next(ctx)
		require.NoError(t, err)
		if delta, ok := entry.Event.(eventlog.Delta); ok {
			text.WriteString(delta.Content)
		}
	}
	return text.String()
}
