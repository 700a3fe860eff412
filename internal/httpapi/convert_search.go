package httpapi

import (
	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/internal/search"
)

// maxSnippetRunes bounds a text that the database takes for a single word.
const maxSnippetRunes = 500

func toSearchResult(r search.Result) api.SearchResult {
	result := api.SearchResult{
		Kind: api.SearchResultKindTicket, TicketID: r.TicketID, MessageID: r.MessageID, UserID: r.UserID,
		Status: api.TicketStatus(r.Status), Title: toSegments(r.Title), Snippet: toSegments(r.Text),
		CreatedAt: toTimestamp(r.CreatedAt),
	}
	if r.MessageID != nil {
		result.Kind = api.SearchResultKindMessage
	}
	return result
}

// toSegments cuts a text at the marks of its matches.
func toSegments(marked string) []api.TextSegment {
	segments, match, left := []api.TextSegment{}, false, maxSnippetRunes
	add := func(text []rune) {
		text = text[:min(len(text), left)]
		left -= len(text)
		if len(text) > 0 {
			segments = append(segments, api.TextSegment{Text: string(text), Match: match})
		}
	}
	var text []rune
	for _, r := range marked {
		if r != search.MatchBegins && r != search.MatchEnds {
			text = append(text, r)
			continue
		}
		add(text)
		text, match = text[:0], r == search.MatchBegins
	}
	add(text)
	return segments
}
