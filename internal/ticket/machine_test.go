package ticket

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
)

// For every sequence of requests by a customer and staff: a ticket's status changes only in allowed steps, no resolved
// ticket is snoozed, and merged tickets stay closed. The journal has each change of status with its old value.
func TestStatusMachineInvariants(t *testing.T) {
	t.Parallel()
	statuses := []sqlc.TicketStatus{
		sqlc.TicketStatusOpen, sqlc.TicketStatusPending, sqlc.TicketStatusResolved, sqlc.TicketStatusClosed,
	}
	customer := auth.Actor{ID: uuid.New(), Role: auth.RoleUser}
	agent := auth.Actor{ID: uuid.New(), Role: auth.RoleAgent}
	rapid.Check(t, func(r *rapid.T) {
		ticket := sqlc.Ticket{ID: uuid.New(), UserID: customer.ID, Status: sqlc.TicketStatusOpen, CustomFields: []byte("{}")}
		if rapid.Bool().Draw(r, "merged") {
			ticket.Status, ticket.MergedInto = sqlc.TicketStatusClosed, &agent.ID
		}
		for range 20 {
			actor := rapid.SampledFrom([]auth.Actor{customer, agent}).Draw(r, "actor")
			change := Change{Status: rapid.SampledFrom(append(statuses, "")).Draw(r, "status")}
			if actor.IsStaff() && rapid.Bool().Draw(r, "snoozes") {
				change.SnoozedUntil = nullable.NewNullableWithValue(time.Now().Add(time.Hour).Format(time.RFC3339))
			}
			after, err := change.apply(ticket, actor)
			if err != nil {
				require.True(r, apperr.Is(err, apperr.InvalidTransition), "%v", err)
				continue
			}
			moved := after.Status != ticket.Status
			require.Equal(r, moved, slices.Contains(entriesOf(ticket, after).types, "ticket.status_changed"))
			require.True(r, !moved || isAllowed(ticket.Status, after.Status, actor.IsStaff()))
			require.False(r, after.SnoozedUntil != nil && isDone(after.Status))
			require.True(r, after.MergedInto == nil || after.Status == sqlc.TicketStatusClosed)
			ticket = after
		}
	})
}
