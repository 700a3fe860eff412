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

// isAllowed reports whether a ticket may go from one status to another. Staff may also resolve what is open.
func isAllowed(from, to sqlc.TicketStatus, staff bool) bool {
	return slices.Contains(transitions[from], to) ||
		staff && from == sqlc.TicketStatusOpen && to == sqlc.TicketStatusResolved
}

// isDone reports whether nothing is left to do in a ticket of the status.
func isDone(status sqlc.TicketStatus) bool {
	return status == sqlc.TicketStatusResolved || status == sqlc.TicketStatusClosed
}
