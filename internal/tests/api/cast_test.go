package api_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// fixedRequestID makes equal responses equal byte for byte.
const fixedRequestID = "X-Request-Id: the-same-request"

// cast is a desk with people in every role: a customer with a ticket, a customer without one, and staff.
type cast struct {
	*desk.Desk
	owner, other, agent, admin *apitest.User
	// ticket belongs to the owner.
	ticket client.Ticket
	// duplicate is another ticket of the owner, for operations on two tickets.
	duplicate string

	// prepared has calls by operationId; ids has the ids for their paths, by parameter.
	prepared map[string]call
	ids      map[string]string
}

func newCast(t *testing.T) *cast {
	t.Helper()
	return newCastOn(t, desk.Options{})
}

func newCastOn(t *testing.T, o desk.Options) *cast {
	t.Helper()
	return castOf(t, desk.New(t, o))
}

// castOf creates a cast on a desk, which many small tests may use one after another: most of the cost of such a test is its
// database.
func castOf(t *testing.T, d *desk.Desk) *cast {
	t.Helper()
	owner := d.Customer(t)
	return &cast{
		Desk: d, owner: owner, other: d.Customer(t), agent: d.Staff(t, sqlc.UserRoleAgent), admin: d.Staff(t, sqlc.UserRoleAdmin),
		ticket: owner.NewTicket(t), prepared: make(map[string]call), ids: make(map[string]string),
	}
}

// snapshot returns a digest of the whole database, once no answer is being written. The usage of an answer that has ended early is
// recorded a moment after its end.
func (c *cast) snapshot(t *testing.T) string {
	t.Helper()
	idle := func() bool {
		return countRows(t, c.Desk, "ai_responses WHERE status = 'streaming'") == 0 && c.Assistant.Running() == 0
	}
	if !idle() {
		require.Eventually(t, idle, patience, 10*time.Millisecond)
	}
	return storetest.Digest(t, c.DatabaseURL)
}

// requireUnchanged checks that the calls change nothing, and that the AI gets no request.
func (c *cast) requireUnchanged(t *testing.T, calls func()) {
	t.Helper()
	before, asked := c.snapshot(t), len(c.Simulator.Requests())
	calls()
	require.Equal(t, before, c.snapshot(t), "a call has changed something")
	require.Len(t, c.Simulator.Requests(), asked, "the AI got a request")
}

// keepStored checks that the test does not change the database.
func (c *cast) keepStored(t *testing.T) {
	t.Helper()
	c.calls(t)
	before := c.snapshot(t)
	t.Cleanup(func() { require.Equal(t, before, c.snapshot(t), "something was stored") })
}

// countRows counts rows of a query's FROM clause.
func countRows(t *testing.T, s *desk.Desk, from string, args ...any) int {
	t.Helper()
	return storetest.QueryInt(t, s.DatabaseURL, "SELECT count(*) FROM "+from, args...)
}

// requireSame checks that two responses are identical, except for their date.
func requireSame(t *testing.T, want, got apitest.Response, name string) {
	t.Helper()
	want.Header, got.Header = want.Header.Clone(), got.Header.Clone()
	want.Header.Del("Date")
	got.Header.Del("Date")
	require.Equal(t, want.Status, got.Status, name)
	require.Equal(t, string(want.Body), string(got.Body), name)
	require.Equal(t, want.Header, got.Header, name)
}
