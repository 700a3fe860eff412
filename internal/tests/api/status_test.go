package api_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// ways are the changes from a new ticket to each status.
var ways = map[client.TicketStatus][]client.TicketStatus{
	"open":     {},
	"pending":  {"pending"},
	"resolved": {"pending", "resolved"},
	"closed":   {"pending", "resolved", "closed"},
}

// allowedChanges repeats the contract's description of updateTicket.
var allowedChanges = map[client.TicketStatus][]client.TicketStatus{
	"open":     {"pending"},
	"pending":  {"resolved", "open"},
	"resolved": {"closed", "open"},
	"closed":   {"open"},
}

// mayChange reports whether staff, or otherwise the ticket's customer, may make this change of status.
func mayChange(from, to client.TicketStatus, byStaff bool) bool {
	return slices.Contains(allowedChanges[from], to) || byStaff && from == "open" && to == "resolved"
}

func countChanges(t *testing.T, s *desk.Desk, ticket client.Ticket) int {
	t.Helper()
	return storetest.QueryInt(t, s.DatabaseURL, "SELECT count(*) FROM ticket_status_changes WHERE ticket_id = $1", ticket.ID)
}

func TestOnlyAllowedStatusChangesSucceed(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	customer, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	for from, way := range ways {
		for to := range ways {
			t.Run(string(from)+" to "+string(to), func(t *testing.T) {
				ticket := customer.NewTicket(t)
				for _, status := range way {
					customer.SetStatus(t, ticket.ID, status)
				}
				before, err := customer.GetTicketWithResponse(t.Context(), ticket.ID, nil)
				require.NoError(t, err)
				r, err := agent.UpdateTicketWithResponse(t.Context(), ticket.ID, nil, client.UpdateTicketRequest{Status: to})
				require.NoError(t, err)
				after, err := customer.GetTicketWithResponse(t.Context(), ticket.ID, nil)
				require.NoError(t, err)
				if !mayChange(from, to, true) {
					apitest.RequireProblem(t, r.StatusCode(), r.Body, http.StatusConflict, client.ProblemCodeInvalidTransition)
					require.Equal(t, before.Body, after.Body)
					require.Equal(t, len(way), countChanges(t, s, ticket))
					return
				}
				require.Equal(t, http.StatusOK, r.StatusCode(), "%s", r.Body)
				require.Equal(t, to, r.JSON200.Status)
				require.Equal(t, to, after.JSON200.Status)
				require.Equal(t, r.JSON200.UpdatedAt, after.JSON200.UpdatedAt)
				require.Greater(t, after.JSON200.UpdatedAt, before.JSON200.UpdatedAt)
				require.Equal(t, len(way)+1, countChanges(t, s, ticket))
				require.Equal(t, string(from)+" "+string(to)+" "+agent.ID.String(), storetest.QueryText(t, s.DatabaseURL,
					`SELECT concat_ws(' ', from_status, to_status, actor_id) FROM ticket_status_changes
					WHERE ticket_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1`, ticket.ID))
			})
		}
	}
}

func TestStrangersCannotChangeTheStatus(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	stranger := d.Customer(t)
	d.keepStored(t)
	r, err := stranger.UpdateTicketWithResponse(t.Context(), d.ticket.ID, nil, client.UpdateTicketRequest{Status: "pending"})
	require.NoError(t, err)
	apitest.RequireProblem(t, r.StatusCode(), r.Body, http.StatusNotFound, client.ProblemCodeNotFound)
}

func TestParallelEqualChangesHaveOneEffect(t *testing.T) {
	t.Parallel()
	const many = 50
	d := newCast(t)
	for round, to := range []client.TicketStatus{"pending", "resolved", "closed", "open"} {
		statuses := make([]int, many)
		faults := make([]error, many)
		var changes []func()
		for i := range many {
			changes = append(changes, func() {
				// A request that waits too long for the ticket must be repeated.
				for statuses[i] = http.StatusServiceUnavailable; statuses[i] == http.StatusServiceUnavailable; {
					r, err := d.owner.UpdateTicketWithResponse(t.Context(), d.ticket.ID, nil, client.UpdateTicketRequest{Status: to})
					if faults[i] = err; err != nil {
						return
					}
					statuses[i] = r.StatusCode()
				}
			})
		}
		race(changes...)
		counts := map[int]int{}
		for i, status := range statuses {
			require.NoError(t, faults[i])
			counts[status]++
		}
		require.Equal(t, map[int]int{http.StatusOK: 1, http.StatusConflict: many - 1}, counts, "to %s", to)
		require.Equal(t, round+1, countChanges(t, d.Desk, d.ticket))
	}
}
