package contract

import (
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
)

const (
	// LeastBodyLimit is the smallest limit of a body, in bytes.
	LeastBodyLimit = 64 << 10
	// escapedBytes is the longest form of one character in JSON: two escaped surrogates, as Python's json module writes
	// emoji. A form needs as many bytes for four bytes of UTF-8.
	escapedBytes = len(`\ud83d\ude00`)
	// scalarBytes is longer than any number or boolean of the contract.
	scalarBytes = 32

	// extensionMaxBytes sets the size limit of an open schema, whose members do not bound it.
	extensionMaxBytes = "x-max-bytes"
)

// BodyLimit returns the size limit of a body in bytes: enough for the schema's longest texts in any escaping, in steps
// of LeastBodyLimit, unless the schema sets x-max-bytes.
func BodyLimit(schema *openapi3.Schema) int64 {
	if limit, ok := schema.Extensions[extensionMaxBytes].(float64); ok {
		return int64(limit)
	}
	steps := (largest(schema) + LeastBodyLimit - 1) / LeastBodyLimit
	return int64(max(steps, 1)) * LeastBodyLimit
}

// largest returns the size of the schema's largest value as JSON without white space, in bytes.
func largest(schema *openapi3.Schema) int {
	switch {
	case schema.Type.Includes(openapi3.TypeString):
		return len(`""`) + longest(schema)*escapedBytes
	case schema.Type.Is(openapi3.TypeArray) && schema.MaxItems != nil:
		return len("[]") + int(*schema.MaxItems)*(largest(schema.Items.Value)+len(",")) //nolint:gosec // The number is the contract's.
	case schema.Type.Is(openapi3.TypeObject):
		size := len("{}")
		for name, member := range schema.Properties {
			size += len(`"":,`) + len(name)*escapedBytes + largest(member.Value)
		}
		if others := schema.AdditionalProperties.Schema; others != nil && schema.MaxProps != nil {
			size += int(*schema.MaxProps) * (len(`"":,`) + longest(schema.PropertyNames.Value)*escapedBytes + largest(others.Value)) //nolint:gosec // The number is the contract's.
		}
		return size
	default:
		return scalarBytes
	}
}

// longest returns the length of the schema's longest text, in characters.
func longest(schema *openapi3.Schema) int {
	if schema.MaxLength != nil {
		return int(*schema.MaxLength) //nolint:gosec // The number is the contract's.
	}
	characters := 0
	for _, value := range schema.Enum {
		text, _ := value.(string)
		characters = max(characters, utf8.RuneCountInString(text))
	}
	return characters
}
