package assistant_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant"
	"github.com/supportbackend/support/internal/assistant/eventlog"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// readSoon is readAll with a timeout.
func readSoon(t *testing.T, r *assistant.Reader) (events []eventlog.Event) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitAtMost)
	defer cancel()
	defer r.Close()
	for {
		entry, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			return events
		}
		require.NoError(t, err)
		events = append(events, entry.Event)
	}
}

// readText reads until the text is complete.
func readText(t *testing.T, r *assistant.Reader, text string) (events []eventlog.Event) {
	t.Helper()
	for textOf(events) != text {
		entry, err := r.Next(t.Context())
		require.NoError(t, err)
		events = append(events, entry.Event)
	}
	return events
}

// crash removes the asynchronous commits, as a crash of the database does.
func (b *fixture) crash(t *testing.T) {
	t.Helper()
	storetest.Exec(t, b.url, `
		WITH lost AS (DELETE FROM ai_response_events WHERE seq > 1 RETURNING seq)
		UPDATE ai_responses SET last_seq = 1 WHERE EXISTS (SELECT FROM lost)`)
}

func words(n int) groqsim.Script {
	return groqsim.Script{
		Deltas: slices.Repeat([]string{"word "}, n), TokensPerSecond: 200,
		Gates: []groqsim.Gate{{Name: "crash", After: n}},
	}
}

func TestAnswerIsStoredAfterItsLastDeltasAreLost(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	require.NoError(t, b.simulator.Enqueue(words(20)))
	reader := b.open(t)
	before := readText(t, reader, strings.Repeat("word ", 20))
	b.crash(t)
	b.simulator.Release("crash")
	events := slices.Concat(before, readSoon(t, reader))
	done, ok := events[len(events)-1].(eventlog.Done)
	require.True(t, ok)
	require.EqualValues(t, 1, done.Response.Attempt, "the answer was complete and did not start over")
	require.Equal(t, b.requireLog(t), textOf(events))
}

// A read starts its answer with an asynchronous commit.
func TestReadersOfAnAnswerWhoseStartIsLostAskAgain(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	require.NoError(t, b.simulator.Enqueue(words(20), groqsim.Script{Text: "Another answer."}))
	reader := b.open(t)
	shown := readText(t, reader, strings.Repeat("word ", 20))
	storetest.Exec(t, b.url, "DELETE FROM ai_responses")
	shown = slices.Concat(shown, readSoon(t, reader))
	require.False(t, eventlog.IsEnd(last(shown)))
	back, err := b.service.Open(t.Context(), b.customer, b.ticket.ID, eventlog.IDOf(last(shown)))
	require.NoError(t, err)
	shown = slices.Concat(shown, readSoon(t, back))
	require.IsType(t, eventlog.Done{}, last(shown))
	require.Equal(t, b.requireLog(t), textOf(shown))
}

// A ticket may be erased while its answer is written. That is not a bug of the server.
func TestReadersOfAnErasedAnswerAreToldWhenTheyReconnect(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	require.NoError(t, b.simulator.Enqueue(words(20)))
	reader := b.open(t)
	shown := readText(t, reader, strings.Repeat("word ", 20))
	storetest.Exec(t, b.url, "DELETE FROM tickets")
	b.simulator.Release("crash")
	shown = slices.Concat(shown, readSoon(t, reader))
	require.False(t, eventlog.IsEnd(last(shown)))
	_, err := b.service.Open(t.Context(), b.customer, b.ticket.ID, eventlog.IDOf(last(shown)))
	require.True(t, apperr.Is(err, apperr.NotFound), err)
}

func TestFailureAfterLostDeltasReachesTheReaders(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	script, after := words(20), 20
	script.ErrorAfter = &after
	require.NoError(t, b.simulator.Enqueue(script))
	reader := b.open(t)
	readText(t, reader, strings.Repeat("word ", 20))
	b.crash(t)
	b.simulator.Release("crash")
	events := readSoon(t, reader)
	require.IsType(t, eventlog.Failed{}, events[len(events)-1])
	require.Equal(t, 1, storetest.QueryInt(t, b.url, `
		SELECT count(*) FROM ai_responses AS r
		WHERE r.last_seq = (SELECT count(*) FROM ai_response_events AS e WHERE e.ai_response_id = r.id)`))
}

func TestReadersOfLostDeltasStartOverAfterATakeover(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.client = nil
	follower := b.another(t)
	require.NoError(t, b.simulator.Enqueue(words(20)))
	local := b.open(t)
	remote, err := follower.Open(t.Context(), b.customer, b.ticket.ID, eventlog.EventID{})
	require.NoError(t, err)
	atOwner := readText(t, local, strings.Repeat("word ", 20))
	elsewhere := readText(t, remote, strings.Repeat("word ", 20))
	b.crash(t)
	b.expire(t)
	atOwner = slices.Concat(atOwner, readSoon(t, local))
	elsewhere = slices.Concat(elsewhere, readSoon(t, remote))
	text := b.requireLog(t)
	require.Equal(t, text, textOf(atOwner))
	require.Equal(t, text, textOf(elsewhere))
}

func TestReadersOfLostDeltasSeeAHumanWin(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	require.NoError(t, b.simulator.Enqueue(words(20)))
	reader := b.open(t)
	readText(t, reader, strings.Repeat("word ", 20))
	b.crash(t)
	b.reply(t)
	events := readSoon(t, reader)
	require.IsType(t, eventlog.Failed{}, events[len(events)-1])
}

func TestReaderThatWasAwayDuringALossAndATakeoverStartsOver(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	require.NoError(t, b.simulator.Enqueue(words(20), groqsim.Script{
		Deltas: slices.Repeat([]string{"other "}, 40), TokensPerSecond: 100,
	}))
	reader := b.open(t)
	shown := readText(t, reader, strings.Repeat("word ", 20))
	last := eventlog.IDOf(shown[len(shown)-1])
	reader.Close()
	b.crash(t)
	b.expire(t)
	everything := readSoon(t, b.open(t))
	require.IsType(t, eventlog.Done{}, everything[len(everything)-1])
	back, err := b.service.Open(t.Context(), b.customer, b.ticket.ID, last)
	require.NoError(t, err)
	shown = slices.Concat(shown, readSoon(t, back))
	require.Equal(t, b.requireLog(t), textOf(shown))
}
