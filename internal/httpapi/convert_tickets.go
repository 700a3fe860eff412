package httpapi

import (
	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/ticket"
)

// The bridge between rows and the wire, of changes of tickets.

func fromUpdateTicketRequest(r api.UpdateTicketRequest) ticket.Change {
	return ticket.Change{
		Status: sqlc.TicketStatus(r.Status), AIMode: sqlc.AIMode(r.AIMode), Priority: sqlc.TicketPriority(r.Priority),
		AssigneeID: r.AssigneeID, TeamID: r.TeamID, Tags: r.Tags, CustomFields: r.CustomFields, ExternalID: r.ExternalID,
		SnoozedUntil: r.SnoozedUntil,
	}
}

func fromHandOffTicketRequest(r api.HandOffTicketRequest) ticket.Handoff {
	return ticket.Handoff{Reason: sqlc.HandoffReason(r.Reason), Note: r.Note}
}
