package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/supportbackend/support/internal/apperr"
)

// maxDepth is how deeply arrays and objects may be nested.
const maxDepth = 32

// decodeJSON reads one JSON value (RFC 8259) in UTF-8, and nothing after it. It returns MalformedRequest for what is no
// JSON, and fields for what is JSON and may not be sent all the same: a member twice in one object (RFC 7493, section
// 2.3), half a surrogate pair, and characters that are not text. Numbers are kept as they are written.
func decodeJSON(text []byte) (any, []apperr.Field, error) {
	malformed := apperr.New(apperr.MalformedRequest, "The body is not one JSON value in UTF-8.")
	if !utf8.Valid(text) {
		return nil, nil, malformed
	}
	d := strictDecoder{tokens: jsontext.NewDecoder(bytes.NewReader(text))}
	value, err := d.value()
	if err == nil {
		_, err = d.tokens.ReadToken()
		if errors.Is(err, io.EOF) {
			return value, d.fields, nil
		}
		return nil, nil, malformed
	}
	if field, ok := refusedText(err, text); ok {
		return nil, []apperr.Field{field}, nil
	}
	return nil, nil, malformed
}

// refusedText tells what is no JSON from what our rules refuse although a more lenient parser takes it.
func refusedText(err error, text []byte) (apperr.Field, bool) {
	var syntactic *jsontext.SyntacticError
	if !errors.As(err, &syntactic) {
		return apperr.Field{}, false
	}
	lenient := jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	if _, err := lenient.ReadValue(); err != nil {
		return apperr.Field{}, false
	}
	if _, err := lenient.ReadToken(); !errors.Is(err, io.EOF) {
		return apperr.Field{}, false
	}
	code := apperr.InvalidCharacters
	if errors.Is(err, jsontext.ErrDuplicateName) {
		code = apperr.Duplicate
	}
	return apperr.Field{Pointer: string(syntactic.JSONPointer), Code: code}, true
}

type strictDecoder struct {
	tokens *jsontext.Decoder
	fields []apperr.Field
}

var errTooDeep = errors.New("httpapi: the JSON value is nested too deeply")

// value reads the next value. Its depth is bounded, so the recursion is.
func (d *strictDecoder) value() (any, error) {
	token, err := d.tokens.ReadToken()
	if err != nil {
		return nil, err
	}
	if d.tokens.StackDepth() > maxDepth {
		return nil, errTooDeep
	}
	switch token.Kind() {
	case '{':
		return d.object()
	case '[':
		return d.array()
	case '"':
		return d.text(token.String()), nil
	case '0':
		return json.Number(token.String()), nil
	case 't', 'f':
		return token.Bool(), nil
	default:
		return nil, nil
	}
}

func (d *strictDecoder) object() (any, error) {
	object := make(map[string]any)
	for d.tokens.PeekKind() != '}' {
		name, err := d.tokens.ReadToken()
		if err != nil {
			return nil, err
		}
		key := d.text(name.String())
		if object[key], err = d.value(); err != nil {
			return nil, err
		}
	}
	_, err := d.tokens.ReadToken()
	return object, err
}

func (d *strictDecoder) array() (any, error) {
	array := []any{}
	for d.tokens.PeekKind() != ']' {
		element, err := d.value()
		if err != nil {
			return nil, err
		}
		array = append(array, element)
	}
	_, err := d.tokens.ReadToken()
	return array, err
}

func (d *strictDecoder) text(s string) string {
	// More places than are told are not kept: each of them may be as long as the body.
	if len(d.fields) < maxFieldErrors && !isText(s) {
		d.fields = append(d.fields, apperr.Field{Pointer: string(d.tokens.StackPointer()), Code: apperr.InvalidCharacters})
	}
	return s
}

// isText reports whether s is text: valid UTF-8 without noncharacters U+FFFE and U+FFFF, and without control characters
// other than tab and line breaks.
func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r >= 0x7F && r <= 0x9F || r == 0xFFFE || r == 0xFFFF
	})
}
