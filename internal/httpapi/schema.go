package httpapi

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
)

// formats are the contract's string formats that a pattern cannot say in a portable way.
var formats = openapi3.WithStringFormatValidators(map[string]openapi3.StringFormatValidator{
	"email":       openapi3.NewCallbackValidator(checkEmail),
	"single-line": openapi3.NewCallbackValidator(checkSingleLine),
	"text":        openapi3.NewCallbackValidator(checkText),
})

var (
	errFormat     = errors.New("httpapi: wrong format")
	errCharacters = errors.New("httpapi: wrong characters")
)

func checkEmail(address string) error {
	if _, ok := auth.NormalizeEmail(address); !ok {
		return errFormat
	}
	return nil
}

// checkSingleLine refuses line breaks of any script, and the embeddings, overrides and isolates that turn the direction of
// writing (UAX #9) and so make a title read otherwise than it is. The marks that right-to-left text needs may stand.
func checkSingleLine(line string) error {
	turns := func(r rune) bool {
		return r < ' ' || r == 0x2028 || r == 0x2029 || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069
	}
	if strings.ContainsFunc(line, turns) {
		return errCharacters
	}
	return checkText(line)
}

// checkText refuses text of nothing but white space of any script. The contract's pattern says the same, but Go's
// regular expressions, in contrast to those of JSON Schema, know only the white space of ASCII.
func checkText(text string) error {
	if strings.TrimSpace(text) == "" {
		return errFormat
	}
	return nil
}

// validate returns the places where the value breaks the schema. The validator's own text is never used: it quotes
// values.
func validate(schema *openapi3.Schema, value any) []apperr.Field {
	err := schema.VisitJSON(value, openapi3.MultiErrors(), openapi3.VisitAsRequest(), formats)
	return slices.Compact(fieldsOf(err, make(map[string]bool)))
}

// fieldsOf takes the validator's error apart. named are the objects whose unknown members have been named: the validator
// reports such an object once for each of them.
func fieldsOf(err error, named map[string]bool) []apperr.Field {
	var many openapi3.MultiError
	var one *openapi3.SchemaError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &many):
		var fields []apperr.Field
		for _, err := range many {
			fields = append(fields, fieldsOf(err, named)...)
		}
		return fields
	case !errors.As(err, &one):
		return []apperr.Field{{Code: apperr.InvalidFormat}}
	case one.SchemaField == "properties":
		object := pointer(one.JSONPointer()...)
		if named[object] {
			return nil
		}
		named[object] = true
		return unknownFields(one)
	default:
		return []apperr.Field{{Pointer: pointer(one.JSONPointer()...), Code: fieldCode(one)}}
	}
}

// unknownFields names the members that an object may not have.
func unknownFields(err *openapi3.SchemaError) []apperr.Field {
	object, _ := err.Value.(map[string]any)
	var fields []apperr.Field
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if err.Schema.Properties[name] == nil {
			fields = append(fields, apperr.Field{Pointer: pointer(append(err.JSONPointer(), name)...), Code: apperr.Unknown})
		}
	}
	return fields
}

func fieldCode(err *openapi3.SchemaError) apperr.FieldCode {
	switch err.SchemaField {
	case "required":
		return apperr.Required
	case "type", "nullable":
		return apperr.InvalidType
	case "enum":
		return apperr.NotAllowed
	case "minLength", "minItems", "minProperties":
		return apperr.TooShort
	case "maxLength", "maxItems", "maxProperties":
		return apperr.TooLong
	case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum":
		return apperr.OutOfRange
	}
	if errors.Is(err.Origin, errCharacters) {
		return apperr.InvalidCharacters
	}
	return apperr.InvalidFormat
}

// pointer is a JSON pointer (RFC 6901) of the path.
func pointer(path ...string) string {
	var b strings.Builder
	for _, name := range path {
		b.WriteByte('/')
		b.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(name))
	}
	return b.String()
}
