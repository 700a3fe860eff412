package httpapi

import (
	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/macro"
)

// The bridge between rows and the wire, of macros.

func fromMacroSettings(r api.MacroSettings) macro.Settings {
	return macro.Settings{
		Name: r.Name, Content: r.Content, IsNote: r.IsNote, Status: orNil(sqlc.TicketStatus(r.Status)),
		Priority: orNil(sqlc.TicketPriority(r.Priority)), AddTags: r.AddTags, AssigneeID: r.AssigneeID, TeamID: r.TeamID,
	}
}

func toMacro(m macro.Macro) api.Macro {
	return api.Macro{
		ID: m.ID, Name: m.Name, Content: m.Content, IsNote: m.IsNote, Status: api.TicketStatus(valueOf(m.Status)),
		Priority: api.TicketPriority(valueOf(m.Priority)), AddTags: m.AddTags, AssigneeID: m.AssigneeID, TeamID: m.TeamID,
		CreatedAt: toTimestamp(m.CreatedAt), UpdatedAt: toTimestamp(m.UpdatedAt),
	}
}
