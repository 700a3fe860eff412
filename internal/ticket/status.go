package ticket

import (
	"slices"

	"github.com/supportbackend/support/gen/sqlc"
)

// transitions are the changes of status that are allowed: one step forward, or back to open.
var transitions = map[sqlc.TicketStatus][]sqlc.TicketStatus{
	sqlc.TicketStatusOpen:     {sqlc.TicketStatusPending},
	sqlc.TicketStatusPending:  {sqlc.TicketStatusResolved, sqlc.TicketStatusOpen},
	sqlc.TicketStatusResolved: {sqlc.TicketStatusClosed, sqlc.TicketStatusOpen},
	sqlc.TicketStatusClosed:   {sqlc.TicketStatusOpen},
}

func isAllowed(from, to sqlc.TicketStatus) bool {
	return slices.Contains(transitions[from], to)
}
