package webhook_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/testing/storetest"
	"github.com/supportbackend/support/internal/webhook"
)

func requireVerified(t *testing.T, secret string, got request) {
	t.Helper()
	official, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	require.NoError(t, official.Verify(got.body, got.header))
}

func TestEventsAreDeliveredToTheirSubscribers(t *testing.T) {
	t.Parallel()
	r := newReplica(t, options{allow: loopback})
	all, some := newReceiver(t, accept), newReceiver(t, accept)
	_, secretOfAll := r.hook(t, all.URL)
	hook, secret := r.hook(t, some.URL, "ticket.created", "ticket.merged")
	r.happen(t, "ticket.updated")
	r.happen(t, "ticket.created")

	got := some.next(t)
	requireVerified(t, secret, got)
	require.Equal(t, "application/json", got.header.Get("Content-Type"))
	require.EqualValues(t, 2, got.data(t)["position"])
	require.NotContains(t, got.data(t), "facts", "a thin delivery has ids only")
	for range 2 {
		requireVerified(t, secretOfAll, all.next(t))
	}
	d, attempts := r.delivery(t, got.id(t), isDelivered)
	require.Equal(t, "ticket.created", d.Type)
	require.Len(t, attempts, 1)
	require.EqualValues(t, http.StatusNoContent, *attempts[0].Status)

	_, err := r.Update(t.Context(), hook.ID, webhook.Change{Payload: new(sqlc.WebhookPayloadFull), Types: []string{}})
	require.NoError(t, err)
	r.happen(t, "ticket.updated")
	require.Equal(t, map[string]any{"from": "open"}, some.next(t).data(t)["facts"])
}

func TestBothSecretsVerifyDuringRotation(t *testing.T) {
	t.Parallel()
	r := newReplica(t, options{allow: loopback})
	to := newReceiver(t, accept)
	hook, first := r.hook(t, to.URL)
	second, until, err := r.RotateSecret(t.Context(), hook.ID)
	require.NoError(t, err)
	require.NotEqual(t, first, second)
	require.False(t, until.IsZero())
	_, err = r.Test(t.Context(), hook.ID)
	require.NoError(t, err)
	got := to.next(t)
	requireVerified(t, first, got)
	requireVerified(t, second, got)

	storetest.Exec(t, r.url, "UPDATE webhooks SET previous_expires_at = now()")
	_, err = r.Test(t.Context(), hook.ID)
	require.NoError(t, err)
	got = to.next(t)
	requireVerified(t, second, got)
	official, err := standardwebhooks.NewWebhook(first)
	require.NoError(t, err)
	require.Error(t, official.Verify(got.body, got.header))
}

// The second delivery needs no other entry and no other pass of the dispatcher.
func TestDeliveryThatArrivesDuringAnotherFollowsIt(t *testing.T) {
	t.Parallel()
	r := newReplica(t, options{allow: loopback, idle: true})
	require.NoError(t, r.jobs.Open(true))
	r.run(t, r.journal.Run, r.jobs.Run)
	release := make(chan struct{})
	to := newReceiver(t, func(w http.ResponseWriter, req *http.Request) {
		<-release
		accept(w, req)
	})
	r.hook(t, to.URL)
	for position := range int64(2) {
		r.happen(t, "ticket.created")
		require.NoError(t, r.journal.Wait(t.Context(), position))
		_, _, err := r.Dispatch(t.Context())
		require.NoError(t, err)
		if position == 0 {
			to.next(t)
		}
	}
	close(release)
	require.EqualValues(t, 2, to.next(t).data(t)["position"])
}

func TestFailedDeliveryIsRetriedWithTheSameID(t *testing.T) {
	t.Parallel()
	r := newReplica(t, options{allow: loopback})
	var failing atomic.Bool
	failing.Store(true)
	to := newReceiver(t, func(w http.ResponseWriter, req *http.Request) {
		if failing.Load() {
			answer(http.StatusInternalServerError)(w, req)
			return
		}
		accept(w, req)
	})
	hook, secret := r.hook(t, to.URL)
	d, err := r.Test(t.Context(), hook.ID)
	require.NoError(t, err)
	for attempt := range 2 {
		got := to.next(t)
		require.Equal(t, d.ID, got.id(t))
		requireVerified(t, secret, got)
		after, attempts := r.delivery(t, d.ID, attempted(int32(attempt)+1))
		require.Equal(t, sqlc.WebhookDeliveryStatusPending, after.Status)
		require.EqualValues(t, http.StatusInternalServerError, *attempts[attempt].Status)
		require.Equal(t, "no", *attempts[attempt].Response)
		failing.Store(attempt < 1)
		r.due(t)
	}
	require.Equal(t, d.ID, to.next(t).id(t))
	_, attempts := r.delivery(t, d.ID, isDelivered)
	require.Len(t, attempts, 3)
	hook, err = r.Get(t.Context(), hook.ID)
	require.NoError(t, err)
	require.Nil(t, hook.FailingSince, "a success resets the failures")

	_, err = r.Redeliver(t.Context(), d.ID)
	require.NoError(t, err)
	require.Equal(t, d.ID, to.next(t).id(t))
}

func TestReplayDeliversEarlierEvents(t *testing.T) {
	t.Parallel()
	r := newReplica(t, options{allow: loopback})
	to := newReceiver(t, accept)
	hook, _ := r.hook(t, to.URL, "ticket.created")
	for _, kind := range []string{"ticket.created", "ticket.updated", "ticket.created"} {
		r.happen(t, kind)
	}
	first := map[uuid.UUID]bool{to.next(t).id(t): true, to.next(t).id(t): true}
	for id := range first {
		r.delivery(t, id, isDelivered)
	}
	from, until, err := r.Replay(t.Context(), hook.ID, 1)
	require.NoError(t, err)
	require.EqualValues(t, 1, from)
	require.EqualValues(t, 3, until)
	again := map[uuid.UUID]bool{to.next(t).id(t): true, to.next(t).id(t): true}
	require.Equal(t, first, again)

	late, _ := r.hook(t, to.URL, "ticket.created")
	_, _, err = r.Replay(t.Context(), late.ID, 2)
	require.NoError(t, err)
	got := to.next(t)
	require.NotContains(t, first, got.id(t), "a replay covers events from before the webhook")
	require.EqualValues(t, 3, got.data(t)["position"])
}

// A paused webhook costs nothing: what happens meanwhile becomes deliveries when it resumes, each once, in order.
func TestPausedWebhookGetsWhatItMissed(t *testing.T) {
	t.Parallel()
	r := newReplica(t, options{allow: loopback})
	to := newReceiver(t, accept)
	hook, _ := r.hook(t, to.URL)
	deliveries := func() int { return storetest.QueryInt(t, r.url, "SELECT count(*) FROM webhook_deliveries") }
	pause := func(paused bool) {
		_, err := r.Update(t.Context(), hook.ID, webhook.Change{Paused: &paused})
		require.NoError(t, err)
	}
	r.happen(t, "ticket.created")
	require.EqualValues(t, 1, to.next(t).data(t)["position"])
	for round := range 2 {
		pause(true)
		pause(true) // Again changes nothing.
		for range 3 {
			r.happen(t, "ticket.created")
		}
		last := 4 + round*4
		require.Eventually(t, func() bool {
			return storetest.QueryInt(t, r.url, "SELECT position FROM webhook_cursor") == last
		}, patience, pollInterval)
		require.Equal(t, last-3, deliveries())
		require.Empty(t, to.got)
		pause(false)
		r.happen(t, "ticket.created")
		got := make(map[any]bool)
		for range 4 {
			got[to.next(t).data(t)["position"]] = true
		}
		require.Len(t, got, 4, "each comes once")
		require.Equal(t, last+1, deliveries())
		require.Empty(t, to.got)
	}
}

// What is to be replayed waits while its webhook is paused. What was missed and what is replayed again come together.
func TestReplayOfAPausedWebhookWaits(t *testing.T) {
	t.Parallel()
	r := newReplica(t, options{allow: loopback})
	to := newReceiver(t, accept)
	hook, _ := r.hook(t, to.URL)
	for range 3 {
		r.happen(t, "ticket.created")
	}
	for range 3 {
		to.next(t)
	}
	_, err := r.Update(t.Context(), hook.ID, webhook.Change{Paused: new(true)})
	require.NoError(t, err)
	_, _, err = r.Replay(t.Context(), hook.ID, 2)
	require.NoError(t, err)
	r.happen(t, "ticket.created")
	require.Eventually(t, func() bool {
		return storetest.QueryInt(t, r.url, "SELECT position FROM webhook_cursor") == 4
	}, patience, pollInterval)
	_, _, err = r.Dispatch(t.Context())
	require.NoError(t, err)
	require.Zero(t, storetest.QueryInt(t, r.url, "SELECT count(*) FROM webhook_deliveries WHERE status = 'pending'"))
	_, err = r.Update(t.Context(), hook.ID, webhook.Change{Paused: new(false)})
	require.NoError(t, err)
	_, _, err = r.Replay(t.Context(), hook.ID, 4)
	require.NoError(t, err, "a second replay takes nothing away from the first")
	got := make(map[any]bool)
	for len(got) < 3 {
		got[to.next(t).data(t)["position"]] = true
	}
	require.Equal(t, map[any]bool{2.0: true, 3.0: true, 4.0: true}, got)
}

// The dead receiver's attempts are still open when the other receiver has all its deliveries.
func TestDeadReceiverDoesNotDelayAnother(t *testing.T) {
	t.Parallel()
	const entries = 60
	r := newReplica(t, options{allow: loopback})
	release := make(chan struct{})
	var open, most atomic.Int32
	dead := newReceiver(t, func(w http.ResponseWriter, req *http.Request) {
		most.Store(max(most.Load(), open.Add(1)))
		<-release
		open.Add(-1)
		answer(http.StatusBadGateway)(w, req)
	})
	defer close(release)
	alive := newReceiver(t, accept)
	r.hook(t, dead.URL)
	r.hook(t, alive.URL)
	for range entries {
		r.happen(t, "ticket.created")
	}
	for range entries {
		alive.next(t)
	}
	require.Positive(t, open.Load(), "it hangs")
	require.LessOrEqual(t, most.Load(), int32(10), "the dead receiver uses only its share")
	require.Equal(t, 1, storetest.QueryInt(t, r.url, `SELECT count(*) FROM river_job WHERE kind = 'webhook_send' AND state = 'running'
		AND args->>'webhook_id' = (SELECT id::text FROM webhooks ORDER BY created_at LIMIT 1)`))
}

// If a server stops between sending an attempt and recording it, another server repeats the attempt with the same id.
func TestUnrecordedAttemptIsRepeated(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	relay := storetest.NewRelay(t, url)
	first := newReplica(t, options{url: relay.URL, allow: loopback})
	var silenced sync.Once
	to := newReceiver(t, func(w http.ResponseWriter, req *http.Request) {
		silenced.Do(func() { relay.Silence(true) })
		accept(w, req)
	})
	hook, secret := first.hook(t, to.URL)
	_, err := first.Test(t.Context(), hook.ID)
	require.NoError(t, err)
	sent := to.next(t)

	second := newReplica(t, options{url: url, allow: loopback})
	// River rescues the jobs of a dead server only after half a minute.
	storetest.Exec(t, url, "UPDATE river_job SET state = 'discarded', finalized_at = now() WHERE kind = 'webhook_send'")
	again := to.next(t)
	require.Equal(t, sent.id(t), again.id(t))
	requireVerified(t, secret, again)
	_, attempts := second.delivery(t, sent.id(t), isDelivered)
	require.Len(t, attempts, 1, "the first attempt was not recorded")
	// The first replica ends without waiting for the response.
	second.stop()
	relay.Silence(false)
	storetest.Exec(t, url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
}
