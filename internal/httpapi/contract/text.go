package contract

import (
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"golang.org/x/text/unicode/norm"
)

const (
	formatSingleLine = "single-line"
	formatText       = "text"
	formatEmail      = "email"

	escape = '\x1b'

	// maxEmailBytes bounds an address before normalization: four bytes for each character, and some white space.
	maxEmailBytes = 4 * 256
)

// isText reports whether s is text: valid UTF-8 without noncharacters U+FFFE and U+FFFF, and without control characters
// other than tab and line breaks.
func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r >= 0x7F && r <= 0x9F || r == 0xFFFE || r == 0xFFFF
	})
}

// textFor normalizes a text for its schema. Invisible characters that word processors and terminals put into pasted
// text become what they look like. A text that is too long is cut one past its limit, which is enough to refuse it and
// bounds the cost.
func textFor(schema *openapi3.Schema, s string) string {
	switch schema.Format {
	case formatText:
		s = strings.Map(lineBreak, withoutSequences(s))
	case formatSingleLine:
		s = withoutSequences(s)
	case formatEmail:
		if len(s) <= maxEmailBytes && isText(s) {
			s = norm.NFKC.String(strings.TrimSpace(s))
		}
	}
	if schema.MaxLength != nil {
		s = cutAfter(s, *schema.MaxLength+1)
	}
	return s
}

// lineBreak converts the less common line breaks (UAX #14) to line feeds. Carriage returns stay.
func lineBreak(r rune) rune {
	switch r {
	case '\v', '\f', 0x85, 0x2028, 0x2029:
		return '\n'
	default:
		return r
	}
}

// cutAfter returns the first n characters of s.
func cutAfter(s string, n uint64) string {
	if uint64(len(s)) <= n {
		return s
	}
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// withoutSequences removes escape sequences (ECMA-48), such as a terminal's colours. Incomplete sequences stay, to be
// refused. So does an escape before a letter, which may begin a word, and so do sequences that begin with U+0080 to
// U+009F: in UTF-8 those are encoding errors.
func withoutSequences(s string) string {
	begin := strings.IndexByte(s, escape)
	if begin < 0 {
		return s
	}
	var kept strings.Builder
	for begin >= 0 {
		length := sequence(s[begin:])
		if length == 0 {
			break // It will be refused in any case.
		}
		kept.WriteString(s[:begin])
		s = s[begin+length:]
		begin = strings.IndexByte(s, escape)
	}
	kept.WriteString(s)
	return kept.String()
}

// sequence returns the length of the escape sequence that s begins with, or 0 when it is not a whole one.
func sequence(s string) int {
	if len(s) < 2 {
		return 0
	}
	switch kind := s[1]; {
	case kind == '[': // a control sequence: parameters, intermediate bytes, one final byte
		return end(s, span(s, span(s, 2, '0', '?'), ' ', '/'), '@', '~')
	case strings.IndexByte("PX]^_", kind) >= 0: // a control string, such as a title or a link
		return controlString(s)
	case kind >= ' ' && kind <= '/': // intermediate bytes and one final byte, such as the choice of a character set
		return end(s, span(s, 1, ' ', '/'), '0', '~')
	default: // a private one, such as to save where the cursor is
		return end(s, 1, '0', '?')
	}
}

// span returns the end of the run of bytes between first and last that begins at i.
func span(s string, i int, first, last byte) int {
	for i < len(s) && s[i] >= first && s[i] <= last {
		i++
	}
	return i
}

// end returns the length of a sequence whose final byte is at i, or 0.
func end(s string, i int, first, last byte) int {
	if i < len(s) && s[i] >= first && s[i] <= last {
		return i + 1
	}
	return 0
}

// controlString returns the length of a control string, which ends with ESC \ or, by terminals' convention, with BEL.
func controlString(s string) int {
	i := 2 + strings.IndexFunc(s[2:], func(r rune) bool { return r < ' ' })
	switch {
	case i < 2:
		return 0
	case s[i] == '\a':
		return i + 1
	case strings.HasPrefix(s[i:], "\x1b\\"):
		return i + 2
	default:
		return 0
	}
}
