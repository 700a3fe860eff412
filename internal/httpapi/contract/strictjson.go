package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/supportbackend/support/internal/apperr"
)

const (
	// maxDepth is how deeply arrays and objects may be nested.
	maxDepth = 32
	// maxTokens is how many names, values and ends of arrays and objects a body may have: far more than any that the
	// contract takes.
	maxTokens = 8192
)

// decoded is what a body says, as far as its schema can take it.
type decoded struct {
	value any
	// faults are what was wrong with it already.
	faults []apperr.Field
	// whole is false when it was not read to its end, because there are faults enough.
	whole bool
}

// decodeJSON reads one JSON value (RFC 8259) in UTF-8, and nothing after it. It returns MalformedRequest for what is not
// JSON. Faults are what is JSON but must not be sent: members that the schema does not have, a member twice in one object
// (RFC 7493, section 2.3), half a surrogate pair, and characters that are not text, unless the schema says nothing of the
// value. Numbers are kept as they are written.
//
// The value is only as large as the schema lets it be, whatever was sent, so that validating it costs no more than
// validating a proper one: what is refused anyway is read but not kept, and texts and arrays are cut one past what they
// may have. After MaxFaults faults, or maxTokens, the rest is not read at all.
func decodeJSON(text []byte, schema *openapi3.Schema) (decoded, error) {
	malformed := apperr.New(apperr.MalformedRequest, "The body is not one JSON value in UTF-8.")
	if !utf8.Valid(text) {
		return decoded{}, malformed
	}
	// Names that come twice are found here: there are never many to compare with.
	d := strictDecoder{tokens: jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true))}
	value, err := d.value(schema)
	switch {
	case err == nil:
		if _, err = d.tokens.ReadToken(); errors.Is(err, io.EOF) {
			return decoded{value, d.faults, true}, nil
		}
		return decoded{}, malformed
	case errors.Is(err, errEnough):
		return decoded{faults: d.faults}, nil
	}
	if fault, ok := refusedText(err, text); ok {
		return decoded{faults: []apperr.Field{fault}}, nil
	}
	return decoded{}, malformed
}

// refusedText tells half a surrogate pair, which a more lenient parser takes, from what is not JSON.
func refusedText(err error, text []byte) (apperr.Field, bool) {
	var syntactic *jsontext.SyntacticError
	if !errors.As(err, &syntactic) {
		return apperr.Field{}, false
	}
	lenient := jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	if _, err := lenient.ReadValue(); err != nil {
		return apperr.Field{}, false
	}
	if _, err := lenient.ReadToken(); !errors.Is(err, io.EOF) {
		return apperr.Field{}, false
	}
	return apperr.Field{Pointer: string(syntactic.JSONPointer), Code: apperr.InvalidCharacters}, true
}

// strictDecoder reads a value as its schema describes it.
type strictDecoder struct {
	tokens *jsontext.Decoder
	read   int
	faults []apperr.Field
}

var (
	errTooDeep = errors.New("contract: the JSON value is nested too deeply")
	errEnough  = errors.New("contract: the JSON value is known to be refused")
)

// token reads the next token.
func (d *strictDecoder) token() (jsontext.Token, error) {
	token, err := d.tokens.ReadToken()
	d.read++
	switch {
	case err != nil:
		return token, err
	case d.tokens.StackDepth() > maxDepth:
		return token, errTooDeep
	case d.read > maxTokens:
		_ = d.refuse(apperr.TooLong)
		return token, errEnough
	}
	return token, nil
}

// refuse notes a fault of what was read last. It returns errEnough when there are as many faults as are told.
func (d *strictDecoder) refuse(code apperr.FieldCode) error {
	d.faults = append(d.faults, apperr.Field{Pointer: string(d.tokens.StackPointer()), Code: code})
	if len(d.faults) >= MaxFaults {
		return errEnough
	}
	return nil
}

// value reads the next value. Its depth is bounded, so the recursion is.
func (d *strictDecoder) value(schema *openapi3.Schema) (any, error) {
	token, err := d.token()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case '{':
		if !schema.Type.Permits(openapi3.TypeObject) {
			return map[string]any{}, d.skip()
		}
		return d.object(schema)
	case '[':
		if !schema.Type.Permits(openapi3.TypeArray) {
			return []any{}, d.skip()
		}
		return d.array(schema)
	case '"':
		return d.text(schema, token.String())
	case '0':
		return json.Number(token.String()), nil
	case 't', 'f':
		return token.Bool(), nil
	default:
		return nil, nil
	}
}

// skip reads the rest of the array or object that was opened last.
func (d *strictDecoder) skip() error {
	for outside := d.tokens.StackDepth() - 1; d.tokens.StackDepth() > outside; {
		if _, err := d.token(); err != nil {
			return err
		}
	}
	return nil
}

// skipValue reads the next value without keeping it.
func (d *strictDecoder) skipValue() error {
	token, err := d.token()
	if err == nil && (token.Kind() == '{' || token.Kind() == '[') {
		return d.skip()
	}
	return err
}

func (d *strictDecoder) object(schema *openapi3.Schema) (any, error) {
	object := make(map[string]any)
	for d.tokens.PeekKind() != '}' {
		token, err := d.token()
		if err != nil {
			return nil, err
		}
		if schema.MaxProps != nil && uint64(len(object)) > *schema.MaxProps {
			if err := d.skipValue(); err != nil {
				return nil, err
			}
			return object, d.skip()
		}
		if err := d.member(schema, object, token.String()); err != nil {
			return nil, err
		}
	}
	_, err := d.token()
	return object, err
}

// member reads the value of an object's member. One that may not be there counts all the same, and may not come again.
func (d *strictDecoder) member(schema *openapi3.Schema, object map[string]any, name string) error {
	_, twice := object[name]
	member, fault := memberOf(schema, name)
	switch {
	case twice:
		fault = apperr.Duplicate
	case fault != "":
		object[name] = nil
	default:
		value, err := d.value(member)
		object[name] = value
		return err
	}
	if err := d.refuse(fault); err != nil {
		return err
	}
	return d.skipValue()
}

func (d *strictDecoder) array(schema *openapi3.Schema) (any, error) {
	array, items := []any{}, anything
	if schema.Items != nil {
		items = schema.Items.Value
	}
	for d.tokens.PeekKind() != ']' {
		if schema.MaxItems != nil && uint64(len(array)) > *schema.MaxItems {
			return array, d.skip()
		}
		element, err := d.value(items)
		if err != nil {
			return nil, err
		}
		array = append(array, element)
	}
	_, err := d.token()
	return array, err
}

func (d *strictDecoder) text(schema *openapi3.Schema, s string) (any, error) {
	if s = textFor(schema, s); schema.Type != nil && !isText(s) {
		return s, d.refuse(apperr.InvalidCharacters)
	}
	return s, nil
}

// anything is the schema of values of which the contract says nothing.
var anything = &openapi3.Schema{}

// memberOf returns the schema of an object's member, or why there may be no such member.
func memberOf(schema *openapi3.Schema, name string) (*openapi3.Schema, apperr.FieldCode) {
	others := schema.AdditionalProperties
	switch member := schema.Properties[name]; {
	case member != nil:
		return member.Value, ""
	case others.Has != nil && !*others.Has:
		return nil, apperr.Unknown
	case !isText(name):
		return nil, apperr.InvalidCharacters
	case schema.PropertyNames != nil && schema.PropertyNames.Value.VisitJSON(name) != nil:
		return nil, apperr.InvalidFormat
	case others.Schema != nil:
		return others.Schema.Value, ""
	default:
		return anything, ""
	}
}
