package search

import (
	"slices"
	"unicode"
)

// The characters with which the database marks a match.
const (
	matchBegins = '\x01'
	matchEnds   = '\x02'
)

const (
	// maxSnippetRunes is the length of a snippet, and snippetLead how much of it may precede its first match.
	maxSnippetRunes = 300
	snippetLead     = 60
	// maxWordRunes is how far a snippet's edge moves so that it does not cut a word.
	maxWordRunes = 30
)

// Segment is a piece of a text, which matches or does not.
type Segment struct {
	Text  string
	Match bool
}

// TitleSegments returns the ticket's title.
func TitleSegments(r Result) []Segment {
	text, matches := unmark(r.Title)
	return cut(text, matches, 0, len(text))
}

// Snippet returns the part of the description or the message with the most matches, about 300 characters. "…" marks
// omissions.
func Snippet(r Result) []Segment {
	text, matches := unmark(r.Text)
	from, to := bestPart(text, matches)
	segments := cut(text, matches, from, to)
	if from > 0 {
		segments = slices.Insert(segments, 0, Segment{Text: "…"})
	}
	if to < len(text) {
		segments = append(segments, Segment{Text: "…"})
	}
	return segments
}

// span is a match: the runes from the first to the one before the second.
type span struct{ from, to int }

// unmark removes the marks from a text, and returns where they were.
func unmark(marked string) (text []rune, matches []span) {
	from := -1
	for _, r := range marked {
		switch {
		case r == matchBegins:
			from = len(text)
		case r != matchEnds:
			text = append(text, r)
		case from >= 0 && from < len(text):
			matches = append(matches, span{from, len(text)})
			from = -1
		}
	}
	return text, matches
}

// bestPart returns the part with the most matches, without cutting words if possible.
func bestPart(text []rune, matches []span) (from, to int) {
	best := 0
	for first, last := 0, 0; first < len(matches); first++ {
		for last < len(matches) && matches[last].to-matches[first].from <= maxSnippetRunes-snippetLead {
			last++
		}
		if last-first > best {
			best, from = last-first, max(matches[first].from-snippetLead, 0)
		}
	}
	from = min(from, max(len(text)-maxSnippetRunes, 0))
	if from > 0 {
		if i := slices.IndexFunc(text[from:from+maxWordRunes], unicode.IsSpace); i >= 0 {
			from += i + 1
		}
	}
	to = min(from+maxSnippetRunes, len(text))
	for i := to; to < len(text) && i > to-maxWordRunes; i-- {
		if unicode.IsSpace(text[i]) {
			return from, i
		}
	}
	return from, to
}

// cut returns a part of a text in segments.
func cut(text []rune, matches []span, from, to int) []Segment {
	segments := make([]Segment, 0, 2*len(matches)+1)
	add := func(end int, match bool) {
		if end = min(end, to); end > from {
			segments = append(segments, Segment{Text: string(text[from:end]), Match: match})
			from = end
		}
	}
	for _, m := range matches {
		add(m.from, false)
		add(max(m.to, from), m.from < to)
	}
	add(to, false)
	return segments
}
