package contract

import (
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
)

const (
	// LeastBodyLimit is how many bytes of a body every operation takes.
	LeastBodyLimit = 64 << 10
	// escapedBytes is the most that one character takes in JSON: two escaped surrogates, as Python's json module writes
	// emoji. A form takes as many for four bytes of UTF-8.
	escapedBytes = len(`\ud83d\ude00`)
	// scalarBytes is more than numbers and truth values take that the contract describes.
	scalarBytes = 32

	// extensionMaxBytes is where an open schema says how large a body may be, because its members do not.
	extensionMaxBytes = "x-max-bytes"
)

// BodyLimit returns how many bytes a body of the schema may have: as many as its longest texts take, however they are
// escaped, in steps of LeastBodyLimit, unless the schema itself says how many.
func BodyLimit(schema *openapi3.Schema) int64 {
	if limit, ok := schema.Extensions[extensionMaxBytes].(float64); ok {
		return int64(limit)
	}
	steps := (largest(schema) + LeastBodyLimit - 1) / LeastBodyLimit
	return int64(max(steps, 1)) * LeastBodyLimit
}

// largest returns how many bytes of JSON the largest value of the schema takes, without white space.
func largest(schema *openapi3.Schema) int {
	switch {
	case schema.Type.Includes(openapi3.TypeString):
		return len(`""`) + longest(schema)*escapedBytes
	case schema.Type.Is(openapi3.TypeArray) && schema.MaxItems != nil:
		return len("[]") + int(*schema.MaxItems)*(largest(schema.Items.Value)+len(",")) //nolint:gosec // The contract's own number.
	case schema.Type.Is(openapi3.TypeObject):
		size := len("{}")
		for name, member := range schema.Properties {
			size += len(`"":,`) + len(name)*escapedBytes + largest(member.Value)
		}
		if others := schema.AdditionalProperties.Schema; others != nil && schema.MaxProps != nil {
			size += int(*schema.MaxProps) * (len(`"":,`) + longest(schema.PropertyNames.Value)*escapedBytes + largest(others.Value)) //nolint:gosec // The contract's own number.
		}
		return size
	default:
		return scalarBytes
	}
}

// longest returns how many characters the longest text of the schema has.
func longest(schema *openapi3.Schema) int {
	if schema.MaxLength != nil {
		return int(*schema.MaxLength) //nolint:gosec // The contract's own number.
	}
	characters := 0
	for _, value := range schema.Enum {
		text, _ := value.(string)
		characters = max(characters, utf8.RuneCountInString(text))
	}
	return characters
}
