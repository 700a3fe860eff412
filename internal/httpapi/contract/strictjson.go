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
	// maxDepth limits the nesting of arrays and objects.
	maxDepth = 32
	// maxTokens limits the names, values and ends of arrays and objects in a body. It is far beyond any valid body.
	maxTokens = 8192
)

// decoded is a decoded body, within the bounds of its schema.
type decoded struct {
	value any
	// faults are the faults that the decoder found.
	faults []apperr.Field
	// whole is false when decoding stopped early, after too many faults.
	whole bool
}

// decodeJSON decodes exactly one JSON value (RFC 8259) in UTF-8. It returns MalformedRequest for text that is not JSON.
// It reports as faults: unknown members, duplicate members (RFC 7493, section 2.3), unpaired surrogates, and characters
// that are not text, except in values without a schema. It keeps numbers as they were written.
//
// The value is never larger than the schema allows, so validating a hostile body costs no more than validating a good
// one: the decoder skips refused values, and cuts texts and arrays one past their limits. After MaxFaults faults or
// maxTokens tokens, it stops reading.
func decodeJSON(text []byte, schema *openapi3.Schema) (decoded, error) {
	malformed := apperr.New(apperr.MalformedRequest, "The body is not one JSON value in UTF-8.")
	if !utf8.Valid(text) {
		return decoded{}, malformed
	}
	// This package finds duplicate names itself: an object has few names to compare with.
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

// refusedText tells an unpaired surrogate, which lenient parsers accept, from text that is not JSON.
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

// strictDecoder decodes a value along its schema.
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

// refuse records a fault of the value that was read last. It returns errEnough after MaxFaults faults.
func (d *strictDecoder) refuse(code apperr.FieldCode) error {
	d.faults = append(d.faults, apperr.Field{Pointer: string(d.tokens.StackPointer()), Code: code})
	if len(d.faults) >= MaxFaults {
		return errEnough
	}
	return nil
}

// value reads the next value. The depth limit bounds the recursion.
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

// skip skips the rest of the innermost array or object.
func (d *strictDecoder) skip() error {
	for outside := d.tokens.StackDepth() - 1; d.tokens.StackDepth() > outside; {
		if _, err := d.token(); err != nil {
			return err
		}
	}
	return nil
}

// skipValue skips the next value.
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

// member reads the value of an object's member. An unknown member counts towards the limits and may not repeat either.
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
