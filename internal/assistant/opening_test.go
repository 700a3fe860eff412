package assistant_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant"
	"github.com/supportbackend/support/internal/assistant/eventlog"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/storetest"
	"github.com/supportbackend/support/internal/ticket"
)

func TestLateFailureIsAnEvent(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	require.NoError(t, b.simulator.Enqueue(groqsim.Script{HeaderDelay: groqsim.Duration(1500 * time.Millisecond), Status: 400}))
	reader := b.open(t)
	events := readSoon(t, reader)
	require.IsType(t, eventlog.Start{}, events[0])
	require.IsType(t, eventlog.Failed{}, last(events))
}

func TestReaderDoesNotRestartATurnThatHasJustFailed(t *testing.T) {
	t.Parallel()
	b := newFixtureWith(t, time.Minute) // With this patience, a failure is a status even on a busy machine.
	require.NoError(t, b.simulator.Enqueue(groqsim.Script{Status: 400}))
	_, err := b.service.Open(t.Context(), b.customer, b.ticket.ID, eventlog.EventID{})
	require.True(t, apperr.Is(err, apperr.ConversationNotAccepted), "%v", err)
	other := b.another(t)
	for range 18 {
		_, err := other.Open(t.Context(), b.customer, b.ticket.ID, eventlog.EventID{})
		require.True(t, apperr.Is(err, apperr.ConversationNotAccepted), "%v", err)
		require.Positive(t, apperr.From(err).RetryAfter)
	}
	require.Len(t, b.simulator.Requests(), 1)
	_, started, err := b.service.Start(t.Context(), b.customer, b.ticket.ID, assistant.Request{})
	require.NoError(t, err)
	require.True(t, started)
	require.IsType(t, eventlog.Done{}, last(readSoon(t, b.open(t))))
}

func TestFailedTurnWaitsForRetryAfterOfUpstream(t *testing.T) {
	t.Parallel()
	b := newFixtureWith(t, time.Minute) // With this patience, a failure is a status even on a busy machine.
	require.NoError(t, b.simulator.Enqueue(groqsim.Script{Status: 429, RetryAfter: "64"}))
	_, err := b.service.Open(t.Context(), b.customer, b.ticket.ID, eventlog.EventID{})
	require.True(t, apperr.Is(err, apperr.AIOverloaded), "%v", err)
	asked := len(b.simulator.Requests())
	other := b.another(t)
	age := func(seconds int) {
		storetest.Exec(t, b.url, "UPDATE ai_responses SET finished_at = finished_at - make_interval(secs => $1)", seconds)
	}
	age(10)
	_, err = other.Open(t.Context(), b.customer, b.ticket.ID, eventlog.EventID{})
	require.True(t, apperr.Is(err, apperr.AIOverloaded), "%v", err)
	require.InDelta(t, 54*time.Second, apperr.From(err).RetryAfter, float64(10*time.Second), "the rest of the wait")
	require.Len(t, b.simulator.Requests(), asked)
	age(64)
	reader, err := other.Open(t.Context(), b.customer, b.ticket.ID, eventlog.EventID{})
	require.NoError(t, err)
	require.IsType(t, eventlog.Done{}, last(readSoon(t, reader)))
}

func TestParallelReadersOfAFailingTurnCauseOneRequest(t *testing.T) {
	t.Parallel()
	b := newFixtureWith(t, time.Minute) // With this patience, a failure is a status even on a busy machine.
	require.NoError(t, b.simulator.Enqueue(groqsim.Script{Status: 400}))
	services := []*assistant.Service{b.service, b.another(t)}
	errs := make([]error, 20)
	var opening sync.WaitGroup
	for i := range errs {
		opening.Go(func() { _, errs[i] = services[i%2].Open(t.Context(), b.customer, b.ticket.ID, eventlog.EventID{}) })
	}
	opening.Wait()
	for _, err := range errs {
		require.True(t, apperr.Is(err, apperr.ConversationNotAccepted), "%v", err)
	}
	require.Len(t, b.simulator.Requests(), 1)
}

// A reader whose stream opened before there was an answer continues with the turn that is newest by then.
func TestLateReaderFollowsTheNextTurn(t *testing.T) {
	t.Parallel()
	b := newFixtureWith(t, time.Nanosecond)
	b.hold(t, "thinking", 0)
	reader := b.open(t)
	require.True(t, reader.Opening())
	tickets := ticket.NewService(b.store, ticket.Options{AIMode: sqlc.AIModeAuto})
	question, err := tickets.AddMessage(t.Context(), b.customer, b.ticket.ID, "Forget it.")
	require.NoError(t, err)
	require.IsType(t, eventlog.Done{}, last(readSoon(t, reader)))
	require.Equal(t, question.ID.String(), storetest.QueryText(t, b.url,
		"SELECT turn_message_id::text FROM ai_responses WHERE status = 'completed'"))
}

func last(events []eventlog.Event) eventlog.Event { return events[len(events)-1] }

func TestStreamOfAResponseThatIsGoneEnds(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	owner := uuid.New()
	response := b.respond(t, owner, 600)
	reader, err := b.service.OpenResponse(t.Context(), b.customer, response.ID, eventlog.EventID{})
	require.NoError(t, err)
	storetest.Exec(t, b.url, "DELETE FROM ai_responses")
	require.IsType(t, eventlog.Start{}, last(readSoon(t, reader)))
	_, err = b.service.OpenResponse(t.Context(), b.customer, response.ID, eventlog.EventID{})
	require.True(t, apperr.Is(err, apperr.NotFound), err)
}

func TestReplicaFindsItsClaimAfterALostReply(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	reader := b.open(t)
	readSoon(t, reader)
	owner, err := uuid.Parse(storetest.QueryText(t, b.url, "SELECT owner_id::text FROM ai_responses"))
	require.NoError(t, err)
	response := b.respond(t, owner, 15)
	ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second) // shorter than the lease
	defer cancel()
	lost, err := b.service.OpenResponse(ctx, b.customer, response.ID, eventlog.EventID{})
	require.NoError(t, err)
	defer lost.Close()
	for {
		entry, err := lost.Next(ctx)
		require.NoError(t, err)
		if eventlog.IsEnd(entry.Event) {
			require.IsType(t, eventlog.Done{}, entry.Event)
			break
		}
	}
	require.Zero(t, storetest.QueryInt(t, b.url, "SELECT max(crashes) FROM ai_responses"))
}

func TestOnlyCrashesCountAsCrashes(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	b.service.Drain(ended)
	response := b.respond(t, uuid.New(), 600)
	storetest.Exec(t, b.url, "UPDATE ai_responses SET attempt = 3, lease_expires_at = now() - interval '1 second'")
	_, err := b.store.TakeOverAIResponse(t.Context(), sqlc.TakeOverAIResponseParams{
		OwnerID: uuid.New(), LeaseSeconds: 15, UnknownLeaseSeconds: 12, MaxAttempts: 3,
	})
	require.NoError(t, err, "hand-overs do not use up attempts")
	row, err := b.store.GetAIResponse(t.Context(), response.ID)
	require.NoError(t, err)
	require.EqualValues(t, 4, row.Attempt)
	require.EqualValues(t, 1, row.Crashes)
}
