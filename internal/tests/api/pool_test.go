package api_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/internal/app"
	"github.com/supportbackend/support/internal/config"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// Open streams hold no connection: eight connections are enough for many readers on two replicas and for other
// requests.
func TestManyStreamsLeaveThePoolToRequests(t *testing.T) {
	t.Parallel()
	const readers = 150
	patient := app.UpstreamLimits(config.Defaults()) // The answer waits until all readers have arrived.
	patient.Idle, patient.Total = 5*time.Minute, 5*time.Minute
	d := &cast{Desk: desk.New(t, desk.Options{Limits: &patient, MaxStreamsEach: 2 * readers})}
	d.owner = d.Customer(t)
	d.ticket = d.owner.NewTicket(t)
	replica := desk.New(t, desk.Options{DatabaseURL: d.DatabaseURL, Simulator: d.Simulator, Limits: &patient, MaxStreamsEach: 2 * readers})
	require.NoError(t, d.Simulator.Enqueue(groqsim.Script{Gates: []groqsim.Gate{{Name: "held", After: 2}}}))
	elsewhere := replica.LogIn(t, d.owner.Email, apitest.Password)
	streams := []*apitest.Stream{d.owner.Stream(t, d.ticket.ID)}
	for range readers {
		streams = append(streams, d.owner.Stream(t, d.ticket.ID), elsewhere.Stream(t, d.ticket.ID))
	}
	for _, stream := range streams {
		_, ok := stream.Next()
		require.True(t, ok)
	}
	l := newTraffic(d.Desk, d.owner, d.owner.NewTicket(t), time.Minute)
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Second)
	defer stop()
	l.flow(ctx, 50)
	require.Empty(t, l.faults)
	require.Positive(t, l.statuses[http.StatusOK])
	require.Positive(t, l.statuses[http.StatusCreated])
	require.Len(t, l.statuses, 2, "nothing but successes: %v", l.statuses)
	for _, s := range []*desk.Desk{d.Desk, replica} {
		require.Eventually(t, func() bool { return s.Store.PoolStats().Acquired == 0 }, patience, time.Millisecond)
	}
	d.Simulator.Release("held")
	for _, stream := range streams {
		require.NotNil(t, stream.ReadAll().Done)
	}
}

func TestCancelledRequestsLeaveNoSessionsBehind(t *testing.T) {
	t.Parallel()
	const requests, atOnce = 1000, 40
	d := newCastOn(t, desk.Options{DatabaseURL: storetest.NewURL(t)}) // A database without the sessions of earlier tests.
	// Requests that write to the ticket wait for the lock, and are cancelled while they wait.
	storetest.Lock(t, d.DatabaseURL, "tickets")
	// The first requests are cancelled only after their sessions in the database have been seen.
	seen := make(chan struct{})
	done := make(chan struct{})
	var running sync.WaitGroup
	work := make(chan struct{})
	for range atOnce {
		running.Go(func() {
			for range work {
				ctx, cancel := context.WithCancel(t.Context())
				go func() {
					<-seen
					time.AfterFunc(5*time.Millisecond+rand.N(30*time.Millisecond), cancel)
				}()
				request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URL+"/tickets/"+d.ticket.ID.String()+"/messages",
					strings.NewReader(`{"content":"c"}`))
				if err == nil {
					request.Header.Set("Content-Type", "application/json")
					request.Header.Set("Authorization", "Bearer "+d.owner.Token)
					if response, err := http.DefaultClient.Do(request); err == nil {
						_ = response.Body.Close()
					}
				}
				cancel()
			}
		})
	}
	go func() {
		defer close(done)
		for range requests {
			work <- struct{}{}
		}
		close(work)
		running.Wait()
	}()
	most, waiting, see := 0, 0, sync.OnceFunc(func() { close(seen) })
	defer see()
	for open := true; open; {
		select {
		case <-done:
			open = false
		case <-time.After(100 * time.Millisecond): // Each query uses a session too, so do not poll too often.
		}
		const sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'support'"
		most = max(most, storetest.QueryInt(t, d.DatabaseURL, sessions))
		waiting = max(waiting, storetest.QueryInt(t, d.DatabaseURL, sessions+" AND wait_event_type = 'Lock'"))
		if waiting > 0 {
			see()
		}
	}
	pool := d.Store.PoolStats()
	require.Positive(t, waiting)
	require.LessOrEqual(t, most, int(pool.Max)+2)
	other := d.owner.NewTicket(t)
	require.Equal(t, client.TicketStatus("open"), other.Status)
	require.Eventually(t, func() bool { return d.Store.PoolStats().Acquired == 0 }, patience, 10*time.Millisecond)
}
