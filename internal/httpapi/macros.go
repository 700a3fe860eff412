package httpapi

import (
	"context"
	"net/url"

	"github.com/supportbackend/support/gen/api"
)

const macrosPath = "/macros"

// CreateMacro creates a macro.
func (s *Server) CreateMacro(ctx context.Context, r api.CreateMacroRequestObject) (api.CreateMacroResponseObject, error) {
	m, err := s.Macros.Create(ctx, actorFrom(ctx), fromMacroSettings(*r.Body))
	if err != nil {
		return nil, err
	}
	return api.CreateMacro201JSONResponse{
		Body:    toMacro(m),
		Headers: api.CreateMacro201ResponseHeaders{Location: macrosPath + "/" + m.ID.String(), ETag: versionTag(m.Version)},
	}, nil
}

// ListMacros returns a page of macros.
func (s *Server) ListMacros(ctx context.Context, r api.ListMacrosRequestObject) (api.ListMacrosResponseObject, error) {
	actor, list := actorFrom(ctx), macrosList(r.Params)
	page, err := s.cursors.Page(actor.ID, list, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	macros, next, err := s.Macros.List(ctx, r.Params.Text, page)
	if err != nil {
		return nil, err
	}
	return api.ListMacros200JSONResponse{
		Body:    convertAll(macros, toMacro),
		Headers: api.ListMacros200ResponseHeaders{Link: s.cursors.Link(actor.ID, list, page, next)},
	}, nil
}

// macrosList is the list's path with its filter, which binds cursors to the filter.
func macrosList(p api.ListMacrosParams) string {
	if p.Text == "" {
		return macrosPath
	}
	return macrosPath + "?" + url.Values{"text": {p.Text}}.Encode()
}

// GetMacro returns a macro.
func (s *Server) GetMacro(ctx context.Context, r api.GetMacroRequestObject) (api.GetMacroResponseObject, error) {
	m, err := s.Macros.Get(ctx, r.MacroID)
	if err != nil {
		return nil, err
	}
	return api.GetMacro200JSONResponse{Body: toMacro(m), Headers: api.GetMacro200ResponseHeaders{ETag: versionTag(m.Version)}}, nil
}

// UpdateMacro changes a macro.
func (s *Server) UpdateMacro(ctx context.Context, r api.UpdateMacroRequestObject) (api.UpdateMacroResponseObject, error) {
	m, err := s.Macros.Update(ctx, actorFrom(ctx), r.MacroID, fromMacroSettings(*r.Body), ifMatch(r.Params.IfMatch))
	if err != nil {
		return nil, err
	}
	return api.UpdateMacro200JSONResponse{Body: toMacro(m), Headers: api.UpdateMacro200ResponseHeaders{ETag: versionTag(m.Version)}}, nil
}

// DeleteMacro deletes a macro.
func (s *Server) DeleteMacro(ctx context.Context, r api.DeleteMacroRequestObject) (api.DeleteMacroResponseObject, error) {
	if err := s.Macros.Delete(ctx, actorFrom(ctx), r.MacroID); err != nil {
		return nil, err
	}
	return api.DeleteMacro204Response{}, nil
}

// PreviewMacro returns the text that a macro would add to a ticket.
func (s *Server) PreviewMacro(ctx context.Context, r api.PreviewMacroRequestObject) (api.PreviewMacroResponseObject, error) {
	text, err := s.Macros.Preview(ctx, actorFrom(ctx), r.MacroID, r.TicketID)
	if err != nil {
		return nil, err
	}
	return api.PreviewMacro200JSONResponse{Body: api.MacroPreview{Content: text}}, nil
}

// ApplyMacro adds a macro's text to a ticket and makes its changes.
func (s *Server) ApplyMacro(ctx context.Context, r api.ApplyMacroRequestObject) (api.ApplyMacroResponseObject, error) {
	actor := actorFrom(ctx)
	t, message, err := s.Macros.Apply(ctx, actor, r.MacroID, r.TicketID, ifMatch(r.Params.IfMatch))
	if err != nil {
		return nil, err
	}
	return api.ApplyMacro200JSONResponse{
		Body:    api.AppliedMacro{Ticket: toTicket(actor)(t), Message: toMessage(actor)(message)},
		Headers: api.ApplyMacro200ResponseHeaders{ETag: ticketTag(actor, t)},
	}, nil
}
