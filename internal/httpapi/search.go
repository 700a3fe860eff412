package httpapi

import (
	"context"
	"net/url"

	"github.com/supportbackend/support/gen/api"
)

// SearchTickets returns a page of the tickets and messages that match a query.
func (s *Server) SearchTickets(
	ctx context.Context, r api.SearchTicketsRequestObject,
) (api.SearchTicketsResponseObject, error) {
	actor, list := actorFrom(ctx), "/search?"+url.Values{"q": {r.Params.Q}}.Encode()
	page, err := s.cursors.page(actor, list, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	results, next, err := s.Search.Search(ctx, actor, r.Params.Q, page)
	if err != nil {
		return nil, err
	}
	return api.SearchTickets200JSONResponse{
		Body:    convertAll(results, toSearchResult),
		Headers: api.SearchTickets200ResponseHeaders{Link: s.cursors.link(actor, list, page, next)},
	}, nil
}
