// Package reasoning takes a model's reasoning out of the text that it streams, and learns which models write it there.
package reasoning

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxHeader bounds what stands between <|channel|> and <|message|>, in bytes.
	maxHeader = 256
	// maxSpace bounds the white space that is kept of an answer's beginning, in bytes.
	maxSpace = 256
)

// thoughtTags are the pairs that models put around their reasoning.
var thoughtTags = []struct{ open, end string }{
	{"<think>", "</think>"},
	{"<thinking>", "</thinking>"},
	{"<thought>", "</thought>"},
	{"<reasoning>", "</reasoning>"},
	{"[think]", "[/think]"},
	{"◁think▷", "◁/think▷"},
}

// The control tokens of the harmony format, which gpt-oss writes: channels with a name and a text each, of which only
// the one named final is the answer.
const (
	harmonyStart   = "<|start|>"
	harmonyChannel = "<|channel|>"
	harmonyMessage = "<|message|>"
)

// harmonyEnds end a channel's text.
var harmonyEnds = []string{"<|end|>", "<|return|>", "<|call|>", harmonyStart, harmonyChannel}

// openers are what reasoning may begin with.
var openers = func() []string {
	list := []string{harmonyStart, harmonyChannel}
	for _, tag := range thoughtTags {
		list = append(list, tag.open)
	}
	return list
}()

// stripState is what a Stripper reads at the moment.
type stripState int

const (
	// opening: nothing but white space yet, so markup of reasoning may follow.
	opening stripState = iota
	// thinking: inside of reasoning.
	thinking
	// inHeader: after <|channel|>, before the <|message|> that begins its text.
	inHeader
	// inFinal: the text of the channel named final.
	inFinal
	// waiting: text that turns out to be reasoning if a closing tag follows.
	waiting
	// answering: the answer; nothing is stripped from here on.
	answering
)

// Stripper takes a model's reasoning out of its text, piece by piece: whole blocks at the beginning, with the white space
// around them. Markup further on is the answer's own and stays. What it holds back is no longer than a marker, except
// while it is waiting.
type Stripper struct {
	// suspect means that the server may leave reasoning in the text although its chat template has opened the tag, so that
	// only the closing tag is written. Nobody can tell such text from an answer before that tag, or the end.
	suspect bool
	// waits makes the Stripper hold suspect text back until then.
	waits bool
	// always means that this model is known to do so: an answer that is cut before the tag is all reasoning.
	always bool
	// maxKept bounds what is kept while waiting, in bytes.
	maxKept int

	state stripState
	held  string   // not decided yet
	space string   // before it, at the beginning of the text
	ends  []string // of the reasoning
	kept  []byte   // while waiting
	seen  string   // the end of what has passed while waiting or answering, in lower case
	// quotes means that the answer itself has opened a tag, so that a closing one is no sign of reasoning.
	quotes bool
	// thought means that reasoning was recognized, so that the text after it is the answer.
	thought bool
	// lone means that a closing tag came without its opening one.
	lone bool
	// Leaked means that this happened after text was let through.
	Leaked bool
}

// Separate means that the server sends reasoning in a field of its own. Content is the answer then. It returns what was
// kept back.
func (s *Stripper) Separate() string {
	s.thought = true
	if s.state != waiting {
		return ""
	}
	return s.release()
}

// Push takes the next piece of text and returns what is known to be of the answer.
func (s *Stripper) Push(text string) string {
	if text == "" {
		return ""
	}
	if s.state == answering {
		return s.pass(text)
	}
	s.held += text
	var out strings.Builder
	for s.step(&out) {
	}
	return out.String()
}

// Flush returns what is held back when the text has ended. whole means that the model has ended it, and no limit.
func (s *Stripper) Flush(whole bool) string {
	held := s.held
	s.held = ""
	switch s.state {
	case waiting:
		if s.always && !whole {
			s.kept = nil
		}
		return s.release()
	case inFinal:
		return held
	case opening:
		if held != "" && whole {
			return s.space + held
		}
	case thinking, inHeader, answering:
	}
	return ""
}

// step handles what is held as far as it can be told, and reports whether more can be.
func (s *Stripper) step(out *strings.Builder) bool {
	switch s.state {
	case opening:
		return s.open()
	case thinking:
		_, ok := s.until(s.ends)
		if ok {
			s.state = opening
		}
		return ok
	case inHeader:
		return s.header()
	case inFinal:
		text, ok := s.until(harmonyEnds)
		out.WriteString(text)
		if ok {
			s.state = opening
		}
		return ok
	case waiting:
		return s.wait(out)
	case answering:
		out.WriteString(s.pass(s.held))
		s.held = ""
	}
	return false
}

// open looks for markup at the beginning of what is held.
func (s *Stripper) open() bool {
	rest := strings.TrimLeftFunc(s.held, unicode.IsSpace)
	for _, r := range s.held[:len(s.held)-len(rest)] {
		if s.thought || len(s.space) > maxSpace-utf8.UTFMax {
			break
		}
		s.space += string(r)
	}
	if s.held = rest; rest == "" {
		return false
	}
	for _, opener := range openers {
		n := min(len(s.held), len(opener))
		if lower(s.held[:n]) != opener[:n] {
			continue
		}
		if n < len(opener) {
			return false // The rest of it may follow.
		}
		s.thought, s.space = true, ""
		s.begin(opener)
		return true
	}
	s.held, s.space = s.space+s.held, ""
	s.state = answering
	if s.waits && !s.thought {
		s.state = waiting
	}
	return true
}

// begin enters what the opener opens.
func (s *Stripper) begin(opener string) {
	s.held = s.held[len(opener):]
	s.state = inHeader
	for _, tag := range thoughtTags {
		if tag.open == opener {
			s.state, s.ends = thinking, []string{tag.end}
		}
	}
}

// header reads a channel's name. A message without one is an answer; a header without an end is nothing to show.
func (s *Stripper) header() bool {
	at := strings.Index(s.held, harmonyMessage)
	if at < 0 && len(s.held) <= maxHeader {
		return false
	}
	name := s.held
	if at >= 0 {
		name = s.held[:at]
		s.held = s.held[at+len(harmonyMessage):]
	}
	role, channel, named := strings.Cut(name, harmonyChannel)
	if !named {
		channel = role
	}
	channel = lower(strings.TrimSpace(channel))
	if at >= 0 && (strings.HasPrefix(channel, "final") || channel == "assistant") {
		s.state = inFinal
		return true
	}
	s.state, s.ends = thinking, harmonyEnds
	return true
}

// until returns the text before the first of the markers and drops that marker, unless it begins the next channel.
// Without one, it returns what cannot be part of one and keeps the rest.
func (s *Stripper) until(markers []string) (text string, found bool) {
	folded := lower(s.held)
	at, marker := -1, ""
	for _, m := range markers {
		if i := strings.Index(folded, m); i >= 0 && (at < 0 || i < at) {
			at, marker = i, m
		}
	}
	if at < 0 {
		cut := len(s.held) - partOfMarker(folded, markers)
		text, s.held = s.held[:cut], s.held[cut:]
		return text, false
	}
	text, s.held = s.held[:at], s.held[at:]
	if marker != harmonyStart && marker != harmonyChannel {
		s.held = s.held[len(marker):]
	}
	return text, true
}

// wait keeps text back until a closing tag shows that it was reasoning.
func (s *Stripper) wait(out *strings.Builder) bool {
	before := len(s.seen)
	end := s.watch(s.held)
	if end >= 0 {
		s.lone, s.thought = true, true
		s.kept, s.seen, s.state = nil, "", opening // White space at the beginning was of the reasoning.
		s.held = s.held[max(0, end-before):]
		return true
	}
	if len(s.kept) <= s.maxKept { // One piece more shows that the answer is cut.
		s.kept = append(s.kept, s.held...)
	}
	s.held = ""
	if s.quotes {
		// The answer speaks of tags itself.
		out.WriteString(s.release())
	}
	return false
}

// release returns what was kept and lets everything through from here on.
func (s *Stripper) release() string {
	text := string(s.kept)
	s.kept, s.state = nil, answering
	return text
}

// pass lets text through and watches whether it shows that what came before was reasoning.
func (s *Stripper) pass(text string) string {
	if s.suspect && !s.thought && !s.quotes && s.watch(text) >= 0 {
		s.lone, s.Leaked = true, true
	}
	return text
}

// watch looks for a closing tag in seen and text together, and returns where the first one ends, or -1.
func (s *Stripper) watch(text string) int {
	const longest = 12 // of the tags, in bytes
	folded := s.seen + lower(text)
	end, from := -1, len(folded)
	for _, tag := range thoughtTags {
		if i := strings.Index(folded, tag.end); i >= 0 && i < from {
			from, end = i, i+len(tag.end)
		}
	}
	for _, tag := range thoughtTags {
		if i := strings.Index(folded, tag.open); i >= 0 && i < from {
			s.quotes = true
			return -1
		}
	}
	s.seen = folded[max(0, len(folded)-longest):]
	return end
}

// partOfMarker returns the length of the longest end of text with which a marker may begin.
func partOfMarker(text string, markers []string) int {
	longest := 0
	for _, marker := range markers {
		for n := min(len(text), len(marker)-1); n > longest; n-- {
			if strings.HasSuffix(text, marker[:n]) {
				longest = n
			}
		}
	}
	return longest
}

// lower folds ASCII letters only, so that every byte stays where it is.
func lower(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return 'A' <= r && r <= 'Z' }) < 0 {
		return s
	}
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' && c < utf8.RuneSelf {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
