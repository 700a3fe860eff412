package groq

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"
)

// joiner turns the JSON strings of successive deltas into text. A server may cut its text within a character: between
// the two \u escapes of a surrogate pair, or between the bytes of a UTF-8 sequence. The JSON decoder would replace each
// half by U+FFFD, so the joiner keeps a half at the end back, still encoded, and puts it before the next delta.
type joiner struct {
	held []byte
}

// add returns the text that is complete with raw, a JSON string with its quotes.
func (j *joiner) add(raw []byte) (string, error) {
	if inside := raw[1 : len(raw)-1]; len(j.held) == 0 && bytes.IndexByte(inside, '\\') < 0 && utf8.Valid(inside) {
		return string(inside), nil // Most deltas have no escapes.
	}
	body := slices.Concat(j.held, raw[1:len(raw)-1])
	cut := len(body) - incompleteTail(body)
	text, err := unquote(body[:cut])
	j.held = append(j.held[:0], body[cut:]...)
	return text, err
}

// flush returns U+FFFD for a half that nothing completes.
func (j *joiner) flush() string {
	if len(j.held) == 0 {
		return ""
	}
	j.held = j.held[:0]
	return string(utf8.RuneError)
}

// unquote decodes the inside of a JSON string. NUL is dropped, because PostgreSQL cannot store it and no reader
// misses it.
func unquote(body []byte) (string, error) {
	literal := make([]byte, 0, len(body)+2)
	literal = append(literal, '"')
	literal = append(literal, body...)
	literal = append(literal, '"')
	var text string
	if err := json.Unmarshal(literal, &text); err != nil {
		return "", err
	}
	return strings.ReplaceAll(text, "\x00", ""), nil
}

// incompleteTail returns the length of a half character at the end of a JSON string's inside, 0 if there is none.
func incompleteTail(body []byte) int {
	const escape = len(`\ud83d`)
	if n := len(body); n >= escape && isHighSurrogate(body[n-escape:]) && startsEscape(body[:n-escape]) {
		return escape
	}
	for i := 1; i < utf8.UTFMax && i <= len(body); i++ {
		tail := body[len(body)-i:]
		if utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return i
			}
			return 0
		}
	}
	return 0
}

// isHighSurrogate reports whether the six bytes spell \ud800 to \udbff.
func isHighSurrogate(b []byte) bool {
	if b[0] != '\\' || b[1] != 'u' || b[2]|0x20 != 'd' {
		return false
	}
	return strings.IndexByte("89abAB", b[3]) >= 0 && isHex(b[4]) && isHex(b[5])
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

// startsEscape reports whether a backslash after before begins an escape and is not itself escaped.
func startsEscape(before []byte) bool {
	backslashes := 0
	for i := len(before) - 1; i >= 0 && before[i] == '\\'; i-- {
		backslashes++
	}
	return backslashes%2 == 0
}

// cutRunes returns the longest prefix of text that has at most n bytes and ends with a whole character.
func cutRunes(text string, n int) string {
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
