package ticket

import (
	"slices"

	"github.com/supportbackend/support/gen/sqlc"
)

// transitions are the allowed changes of status: one step forward, or back to open.
var transitions = map[sqlc.TicketStatus][]sqlc.TicketStatus{
	sqlc.TicketStatusOpen:     {sqlc.TicketStatusPending},
	sqlc.TicketStatusPending:  {sqlc.TicketStatusResolved, sqlc.TicketStatusOpen},
	sqlc.TicketStatusResolved: {sqlc.TicketStatusClosed, sqlc.TicketStatusOpen},
	sqlc.TicketStatusClosed:   {sqlc.TicketStatusOpen},
}

// isAllowed reports whether a ticket may change from one status to another. Staff may also resolve an open ticket.
func isAllowed(from, to sqlc.TicketStatus, staff bool) bool {
	return slices.Contains(transitions[from], to) ||
		staff && from == sqlc.TicketStatusOpen && to == sqlc.TicketStatusResolved
}

// isDone reports whether tickets with the status are done.
func isDone(status sqlc.TicketStatus) bool {
	return status == sqlc.TicketStatusResolved || status == sqlc.TicketStatusClosed
}
