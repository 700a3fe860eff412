package ticket

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
)

func TestStatusGoesOneStepForwardOrBackToOpen(t *testing.T) {
	t.Parallel()
	order := []sqlc.TicketStatus{
		sqlc.TicketStatusOpen, sqlc.TicketStatusPending, sqlc.TicketStatusResolved, sqlc.TicketStatusClosed,
	}
	for i, from := range order {
		for j, to := range order {
			want := j == i+1 || to == sqlc.TicketStatusOpen && from != sqlc.TicketStatusOpen
			require.Equal(t, want, isAllowed(from, to), "%s to %s", from, to)
		}
	}
	require.Len(t, transitions, len(order))
}

func TestUnknownStatusGoesNowhere(t *testing.T) {
	t.Parallel()
	for _, status := range []sqlc.TicketStatus{"", "OPEN", "reopened"} {
		require.False(t, isAllowed(status, sqlc.TicketStatusOpen))
		require.False(t, isAllowed(sqlc.TicketStatusOpen, status))
		require.False(t, isAllowed(status, status))
	}
}

func TestPageIsCutAtItsLimit(t *testing.T) {
	t.Parallel()
	position := func(n int) Position { return Position{CreatedAt: first.CreatedAt.AddDate(n, 0, 0)} }
	for _, test := range []struct {
		rows, want []int
		next       *Position
	}{
		{[]int{}, []int{}, nil},
		{[]int{1}, []int{1}, nil},
		{[]int{1, 2, 3}, []int{1, 2, 3}, nil},
		{[]int{1, 2, 3, 4}, []int{1, 2, 3}, &Position{CreatedAt: first.CreatedAt.AddDate(3, 0, 0)}},
	} {
		rows, next := cut(test.rows, 3, position)
		require.Equal(t, test.want, rows)
		require.Equal(t, test.next, next)
	}
}
