package contract

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/supportbackend/support/internal/apperr"
)

const (
	formatDateTime = "date-time"
	formatUUID     = "uuid"

	uuidLength = 36
)

// MaxFaults limits how many faults of a request are reported.
const MaxFaults = 20

// Formats are the string formats that the schemas name but this package does not define. Each function reports whether
// a value has the format.
type Formats map[string]func(value string) bool

// validator validates values against schemas.
type validator struct {
	formats openapi3.SchemaValidationOption
}

// newValidator returns a validator for the given formats and for ours.
func newValidator(formats Formats) *validator {
	all := map[string]openapi3.StringFormatValidator{
		formatSingleLine: openapi3.NewCallbackValidator(checkSingleLine),
		formatText:       openapi3.NewCallbackValidator(checkText),
		formatUUID:       openapi3.NewCallbackValidator(checkUUID),
	}
	for name, has := range formats {
		all[name] = openapi3.NewCallbackValidator(func(value string) error {
			if !has(value) {
				return errFormat
			}
			return nil
		})
	}
	return &validator{formats: openapi3.WithStringFormatValidators(all)}
}

var (
	errFormat     = errors.New("contract: wrong format")
	errCharacters = errors.New("contract: wrong characters")
)

// checkSingleLine refuses line breaks of any script, and the embeddings, overrides and isolates (UAX #9) that change
// the direction of writing and can disguise a title. It accepts the marks that right-to-left text needs.
func checkSingleLine(line string) error {
	turns := func(r rune) bool {
		return r < ' ' || r == 0x85 || r == 0x2028 || r == 0x2029 || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069
	}
	if strings.ContainsFunc(line, turns) {
		return errCharacters
	}
	return checkText(line)
}

// checkText refuses text that is only white space of any script, and control characters other than white space.
func checkText(text string) error {
	controls := func(r rune) bool {
		return r < '\t' || r > '\r' && r < ' ' || r >= 0x7F && r <= 0x9F && r != 0x85
	}
	if strings.TrimSpace(text) == "" || strings.ContainsFunc(text, controls) {
		return errFormat
	}
	return nil
}

// checkUUID refuses every spelling of a UUID but the canonical one.
func checkUUID(id string) error {
	if len(id) != uuidLength {
		return errFormat
	}
	for i := range len(id) {
		c := id[i]
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (c == '-') || !dash && (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return errFormat
		}
	}
	return nil
}

// impliedPatterns are the patterns of formats that this package checks itself, and more strictly: Go's regular
// expressions, unlike those of JSON Schema, know only ASCII white space, and they take ten times as long.
var impliedPatterns = map[string]string{
	formatSingleLine: `^[^\x00-\x1F\x7F-\x9F]*[^\s\x00-\x1F\x7F-\x9F][^\x00-\x1F\x7F-\x9F]*$`,
	formatText: `^[^\x00-\x08\x0E-\x1F\x7F-\x84\x86-\x9F]*[^\s\x00-\x08\x0E-\x1F\x7F-\x84\x86-\x9F]` +
		`[^\x00-\x08\x0E-\x1F\x7F-\x84\x86-\x9F]*$`,
	formatUUID: `^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`,
}

// dropImpliedPatterns removes from the document's named schemas the patterns that their formats imply.
func dropImpliedPatterns(doc *openapi3.T) {
	for _, named := range doc.Components.Schemas {
		if schema := named.Value; schema.Pattern != "" && schema.Pattern == impliedPatterns[schema.Format] {
			schema.Pattern = ""
		}
	}
}

// validate returns the places where the value breaks the schema, together with the given faults, which the decoder
// found. It reports one fault per place. It never uses the validator's own texts, because they quote values.
func (v *validator) validate(schema *openapi3.Schema, value any, faults ...apperr.Field) []apperr.Field {
	named := make(map[string]bool, len(faults))
	for _, fault := range faults {
		named[fault.Pointer] = true
	}
	err := schema.VisitJSON(value, openapi3.MultiErrors(), openapi3.VisitAsRequest(), v.formats)
	for _, found := range slices.CompactFunc(fieldsOf(err), samePlace) {
		if !named[found.Pointer] {
			faults = append(faults, found)
		}
	}
	if err != nil && len(faults) == 0 {
		return []apperr.Field{{Code: apperr.InvalidFormat}} // fieldsOf must not lose an error that it does not know.
	}
	return faults
}

// fieldsOf converts the validator's error into at most MaxFaults places.
func fieldsOf(err error) []apperr.Field {
	var many openapi3.MultiError
	var one *openapi3.SchemaError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &many):
		var fields []apperr.Field
		for _, err := range many {
			if fields = append(fields, fieldsOf(err)...); len(fields) >= MaxFaults {
				break
			}
		}
		return fields
	case !errors.As(err, &one):
		return []apperr.Field{{Code: apperr.InvalidFormat}}
	case one.SchemaField == "properties":
		return nil // The decoder has reported unknown members.
	case one.SchemaField == "not":
		return []apperr.Field{excluded(one)}
	default:
		return []apperr.Field{fieldOf(one)}
	}
}

// samePlace reports whether two faults are about the same place.
func samePlace(a, b apperr.Field) bool { return a.Pointer == b.Pointer && a.Code == b.Code }

// fieldOf returns the place where a value breaks a rule, and the rule.
func fieldOf(err *openapi3.SchemaError) apperr.Field {
	field := apperr.Field{Pointer: pointer(err.JSONPointer()...), Code: fieldCode(err)}
	s := err.Schema
	switch err.SchemaField {
	case "enum":
		forbidden, _ := s.Extensions[extensionForbidden].([]any)
		for _, value := range s.Enum {
			if !slices.Contains(forbidden, value) {
				field.Allowed = append(field.Allowed, fmt.Sprint(value))
			}
		}
	case "minLength":
		field.Limit = limit(s.MinLength)
	case "maxLength":
		field.Limit = limit(*s.MaxLength)
	case "minItems":
		field.Limit = limit(s.MinItems)
	case "maxItems":
		field.Limit = limit(*s.MaxItems)
	case "minProperties":
		field.Limit = limit(s.MinProps)
	case "minimum":
		field.Limit = limit(*s.Min)
	case "maximum":
		field.Limit = limit(*s.Max)
	}
	return field
}

// limit converts a bound of the contract; all of them are whole numbers.
func limit[N uint64 | float64](bound N) *int64 {
	whole := int64(bound)
	return &whole
}

// excluded returns the place that a schema's "not" refuses: the first of the members that exclude each other, or the
// value.
func excluded(err *openapi3.SchemaError) apperr.Field {
	path, together := err.JSONPointer(), err.Schema.Not.Value.Required
	if len(together) == 0 {
		return apperr.Field{Pointer: pointer(path...), Code: apperr.NotAllowed}
	}
	if _, isObject := err.Value.(map[string]any); !isObject {
		return apperr.Field{Pointer: pointer(path...), Code: apperr.InvalidType}
	}
	return apperr.Field{Pointer: pointer(slices.Concat(path, together[:1])...), Code: apperr.NotAllowed}
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
	text, _ := err.Value.(string)
	switch format := err.Schema.Format; {
	case format == formatSingleLine && errors.Is(checkSingleLine(text), errCharacters):
		return apperr.InvalidCharacters
	case format == formatDateTime && isTime(text): // It is well formed, but its year is out of range.
		return apperr.OutOfRange
	}
	return apperr.InvalidFormat
}

func isTime(text string) bool {
	_, err := time.Parse(time.RFC3339, text)
	return err == nil
}

// quoted escapes the special characters of a JSON pointer.
var quoted = strings.NewReplacer("~", "~0", "/", "~1")

// pointer returns the path as a JSON pointer (RFC 6901).
func pointer(path ...string) string {
	var b strings.Builder
	for _, name := range path {
		b.WriteByte('/')
		b.WriteString(quoted.Replace(name))
	}
	return b.String()
}
