package ticket

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
)

func TestAllowedStatusChanges(t *testing.T) {
	t.Parallel()
	order := []sqlc.TicketStatus{
		sqlc.TicketStatusOpen, sqlc.TicketStatusPending, sqlc.TicketStatusResolved, sqlc.TicketStatusClosed,
	}
	for i, from := range order {
		for j, to := range order {
			want := j == i+1 || to == sqlc.TicketStatusOpen && from != sqlc.TicketStatusOpen
			require.Equal(t, want, isAllowed(from, to, false), "%s to %s", from, to)
			want = want || from == sqlc.TicketStatusOpen && to == sqlc.TicketStatusResolved
			require.Equal(t, want, isAllowed(from, to, true), "%s to %s, by staff", from, to)
		}
	}
	require.Len(t, transitions, len(order))
}

func TestUnknownStatusAllowsNoChange(t *testing.T) {
	t.Parallel()
	for _, status := range []sqlc.TicketStatus{"", "OPEN", "reopened"} {
		require.False(t, isAllowed(status, sqlc.TicketStatusOpen, true))
		require.False(t, isAllowed(sqlc.TicketStatusOpen, status, true))
		require.False(t, isAllowed(status, status, true))
	}
}
