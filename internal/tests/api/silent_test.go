package api_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// The network to the database drops everything while requests run. No request hangs, and none is left when the network
// returns. A request ends within 7 seconds; a busy machine may take longer.
func TestSilentDatabaseHoldsNoRequest(t *testing.T) {
	t.Parallel()
	relay := storetest.NewRelay(t, storetest.NewURL(t))
	s := desk.New(t, desk.Options{DatabaseURL: relay.URL})
	user := s.Customer(t)
	ticket := user.NewTicket(t)
	l := newTraffic(s, user, ticket, 2*patience)
	var running sync.WaitGroup
	var mu sync.Mutex
	var longest time.Duration
	send := func(n int) {
		for i := range n {
			running.Go(func() {
				begin := time.Now()
				l.send(context.WithoutCancel(t.Context()), i)
				mu.Lock()
				defer mu.Unlock()
				longest = max(longest, time.Since(begin))
			})
		}
	}
	refused := func() int { return l.statuses[http.StatusServiceUnavailable] }
	// A slow machine refuses requests until every connection of the pool is open.
	served := func() bool {
		before := refused()
		send(20)
		running.Wait()
		return refused() == before
	}
	require.Eventually(t, served, patience, time.Millisecond)
	before := refused()
	longest = 0

	relay.Silence(true)
	send(20)
	require.Equal(t, http.StatusServiceUnavailable, s.Do(t, http.MethodGet, "/readyz", "").Status)
	running.Wait()
	t.Log("the longest request took", longest)
	require.Less(t, longest, 30*time.Second)
	require.Equal(t, before+20, refused(), "%v", l.statuses)

	relay.Silence(false)
	back := time.Now()
	require.Eventually(t, served, patience, time.Millisecond)
	t.Log("full service after", time.Since(back))
	require.Empty(t, l.faults)
}
