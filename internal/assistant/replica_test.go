package assistant_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/assistant"
	"github.com/supportbackend/support/internal/assistant/eventlog"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/groqtest"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// requireLog checks the rules of a response's log and returns its text: numbers without gaps, one end, and the deltas
// since the last reset equal the message.
func (b *fixture) requireLog(t *testing.T) string {
	t.Helper()
	const query = `
		SELECT (SELECT count(*) FROM ai_response_events AS e WHERE e.ai_response_id = r.id AND e.seq BETWEEN 1 AND r.last_seq)
			= r.last_seq
			AND (SELECT count(*) FROM ai_response_events AS e WHERE e.ai_response_id = r.id AND e.kind IN ('done', 'failed')) = 1
		FROM ai_responses AS r WHERE r.status = 'completed'`
	require.Equal(t, "true", storetest.QueryText(t, b.url, "SELECT ("+query+")::text"))
	require.Equal(t, 1, storetest.QueryInt(t, b.url, "SELECT count(*) FROM messages WHERE author = 'ai'"))
	text := storetest.QueryText(t, b.url, `
		SELECT string_agg(e.content, '' ORDER BY e.seq) FROM ai_response_events AS e
		WHERE e.kind = 'delta' AND e.seq > (
			SELECT coalesce(max(seq), 0) FROM ai_response_events AS x
			WHERE x.ai_response_id = e.ai_response_id AND x.kind = 'reset'
		)`)
	require.Equal(t, storetest.QueryText(t, b.url, "SELECT content FROM messages WHERE author = 'ai'"), text)
	return text
}

func TestReaderHopsBetweenReplicas(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	replicas := []*assistant.Service{b.service, b.another(t), b.another(t)}
	want := strings.Repeat("a word and 👋 another one, ", 40)
	require.NoError(t, b.simulator.Enqueue(groqsim.Script{Text: want, TokensPerSecond: 400}))
	var last eventlog.EventID
	var events []eventlog.Event
	for ended := false; !ended; {
		reader, err := replicas[rand.IntN(len(replicas))].Open(t.Context(), b.customer, b.ticket.ID, last)
		require.NoError(t, err)
		for range 1 + rand.IntN(5) {
			entry, err := reader.Next(t.Context())
			require.NoError(t, err)
			switch e := entry.Event.(type) {
			case eventlog.Delta:
				require.Equal(t, last.Seq+1, e.ID.Seq, "neither a gap nor a repetition")
				last = e.ID
			case eventlog.Done:
				ended = true
			}
			events = append(events, entry.Event)
			if ended {
				break
			}
		}
		reader.Close()
	}
	require.Equal(t, want, textOf(events))
	require.Equal(t, want, b.requireLog(t))
	require.Len(t, b.simulator.Requests(), 1)
}

func TestOwnerWithAnExpiredLeaseWritesNothing(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.another(t)
	b.hold(t, "frozen", 5)
	reader := b.open(t)
	groqtest.Wait(t, b.simulator, func(records []groqsim.RequestRecord) bool {
		return records[0].HeldAt == "frozen"
	})
	b.expire(t) // As if the process had been frozen.
	groqtest.Wait(t, b.simulator, func(records []groqsim.RequestRecord) bool {
		return len(records) == 2 && records[1].End == groqsim.EndCompleted
	})
	b.simulator.Release("frozen")
	events := readAll(t, reader)
	done, ok := events[len(events)-1].(eventlog.Done)
	require.True(t, ok)
	require.EqualValues(t, 2, done.Response.Attempt)
	require.Equal(t, b.requireLog(t), textOf(events))
}

func TestLostDeltasAreRestored(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	require.NoError(t, b.simulator.Enqueue(groqsim.Script{
		Deltas: slices.Repeat([]string{"word "}, 30), TokensPerSecond: 200,
		Gates: []groqsim.Gate{{Name: "first", After: 1}, {Name: "crash", After: 20}},
	}))
	reader := b.open(t)
	var before []eventlog.Event
	for textOf(before) != strings.Repeat("word ", 20) {
		entry, err := reader.Next(t.Context())
		require.NoError(t, err)
		before = append(before, entry.Event)
		if len(before) == 2 {
			b.simulator.Release("first") // The tokens after the gate are a second delta.
		}
	}
	require.GreaterOrEqual(t, len(before), 3)
	// Remove the asynchronous commits, as a crash does.
	storetest.Exec(t, b.url, `
		WITH lost AS (DELETE FROM ai_response_events WHERE seq > 1 RETURNING seq)
		UPDATE ai_responses SET last_seq = 1 WHERE EXISTS (SELECT FROM lost)`)
	b.simulator.Release("crash")
	events := slices.Concat(before, readAll(t, reader))
	require.IsType(t, eventlog.Done{}, events[len(events)-1])
	require.Equal(t, b.requireLog(t), textOf(events))
}

func TestAnswerIsCompleteAfterADatabaseOutage(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	require.NoError(t, b.simulator.Enqueue(groqsim.Script{TokensPerSecond: 100}))
	reader := b.open(t)
	// The lock blocks all writes; sessions that try to write time out.
	storetest.Exec(t, b.url, `
		DO $$ BEGIN
			LOCK TABLE ai_response_events IN ACCESS EXCLUSIVE MODE;
			PERFORM pg_sleep(3);
		END $$`)
	events := readAll(t, reader)
	require.IsType(t, eventlog.Done{}, events[len(events)-1])
	require.Equal(t, b.requireLog(t), textOf(events))
}
