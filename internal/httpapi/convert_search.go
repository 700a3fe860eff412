package httpapi

import (
	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/internal/search"
)

func toSearchResult(r search.Result) api.SearchResult {
	result := api.SearchResult{
		Kind: api.SearchResultKindTicket, TicketID: r.TicketID, MessageID: r.MessageID, UserID: r.UserID,
		Status: api.TicketStatus(r.Status), CreatedAt: toTimestamp(r.CreatedAt),
		Title: convertAll(search.TitleSegments(r), toTextSegment), Snippet: convertAll(search.Snippet(r), toTextSegment),
	}
	switch {
	case r.IsNote:
		result.Kind = api.SearchResultKindNote
	case r.MessageID != nil:
		result.Kind = api.SearchResultKindMessage
	}
	return result
}

func toTextSegment(s search.Segment) api.TextSegment {
	return api.TextSegment{Text: s.Text, Match: s.Match}
}
