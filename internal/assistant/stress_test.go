package assistant_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/assistant"
	"github.com/supportbackend/support/internal/assistant/eventlog"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/storetest"
	"github.com/supportbackend/support/internal/ticket"
)

// wanderer is a reader that is cut off anywhere and continues at any replica.
type wanderer struct {
	last eventlog.EventID
	text string
	end  eventlog.Event
}

func (w *wanderer) take(event eventlog.Event) {
	switch e := event.(type) {
	case eventlog.Delta:
		w.last, w.text = e.ID, w.text+e.Content
	case eventlog.Reset:
		w.last, w.text = e.ID, ""
	case eventlog.Done, eventlog.Failed:
		w.end = e
	}
}

// walk reads at most n events.
func (w *wanderer) walk(ctx context.Context, reader *assistant.Reader, n int) error {
	defer reader.Close()
	for range n {
		entry, err := reader.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		w.take(entry.Event)
		if w.end != nil {
			return nil
		}
	}
	return nil
}

// follow reads a ticket's answer to its end.
func (w *wanderer) follow(ctx context.Context, b *fixture, replicas []*assistant.Service, id uuid.UUID) error {
	for w.end == nil {
		reader, err := replicas[rand.IntN(len(replicas))].Open(ctx, b.customer, id, w.last)
		if err != nil {
			return err
		}
		if err := w.walk(ctx, reader, 2+rand.IntN(20)); err != nil {
			return err
		}
	}
	return nil
}

func TestReadersAndTakeoversAtRandom(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	const tickets, readers = 30, 2
	replicas := []*assistant.Service{b.service, b.another(t), b.another(t)}
	require.NoError(t, b.simulator.Enqueue(groqsim.Script{Times: -1, TokensPerSecond: 60}))
	ctx, cancel := context.WithTimeout(t.Context(), 3*waitAtMost)
	defer cancel()
	wanderers := make(map[uuid.UUID][]*wanderer)
	walked := make(chan error, tickets*readers)
	var wg sync.WaitGroup
	for range tickets {
		about, err := ticket.NewService(b.store, ticket.Options{AIMode: sqlc.AIModeAuto}).Create(ctx, b.customer, "title", "description")
		require.NoError(t, err)
		for range readers {
			w := &wanderer{}
			wanderers[about.ID] = append(wanderers[about.ID], w)
			wg.Go(func() { walked <- w.follow(ctx, b, replicas, about.ID) })
		}
	}
	finished := make(chan struct{})
	go func() {
		wg.Wait()
		close(walked)
		close(finished)
	}()
	b.disturb(t, finished)
	for err := range walked {
		require.NoError(t, err)
	}
	for id, all := range wanderers {
		for _, w := range all {
			done, ok := w.end.(eventlog.Done)
			require.True(t, ok, "%#v", w.end)
			require.Equal(t, done.Message.Content, w.text, "ticket %s", id)
		}
	}
	b.requireSoundLogs(t, tickets)
}

// disturb expires the leases of random answers until finished.
func (b *fixture) disturb(t *testing.T, finished <-chan struct{}) {
	t.Helper()
	tick := time.NewTicker(400 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-finished:
			return
		case <-tick.C:
			// Lock in the same order as group commits, to avoid deadlocks.
			storetest.Exec(t, b.url, `
				WITH expired AS (
					SELECT id FROM ai_responses WHERE status = 'streaming' AND attempt < 3 AND random() < 0.2
					ORDER BY id FOR NO KEY UPDATE
				)
				UPDATE ai_responses AS r SET lease_expires_at = now() - interval '1 second'
				FROM expired WHERE r.id = expired.id`)
		}
	}
}

// requireSoundLogs checks that each of n answers has a log without gaps, one end, one message, and the message's text.
func (b *fixture) requireSoundLogs(t *testing.T, n int) {
	t.Helper()
	require.Equal(t, n, storetest.QueryInt(t, b.url, `
		SELECT count(*) FROM ai_responses AS r JOIN messages AS m ON m.id = r.message_id WHERE r.status = 'completed'
			AND r.last_seq = (SELECT count(*) FROM ai_response_events AS e WHERE e.ai_response_id = r.id)
			AND r.last_seq = (SELECT max(e.seq) FROM ai_response_events AS e WHERE e.ai_response_id = r.id AND e.kind = 'done')
			AND 1 = (
				SELECT count(*) FROM ai_response_events AS e
				WHERE e.ai_response_id = r.id AND e.kind IN ('done', 'failed')
			)
			AND m.content = (
				SELECT string_agg(e.content, '' ORDER BY e.seq) FROM ai_response_events AS e
				WHERE e.ai_response_id = r.id AND e.kind = 'delta' AND e.attempt = r.attempt
			)`))
	require.Equal(t, n, storetest.QueryInt(t, b.url, "SELECT count(*) FROM messages WHERE author = 'ai'"))
}
