package groqsim

import "encoding/json"

// schema is the part of a JSON Schema that the simulator uses for its answers.
type schema struct {
	Type       string            `json:"type,omitempty"`
	Enum       []json.RawMessage `json:"enum,omitempty"`
	Properties map[string]schema `json:"properties,omitempty"`
	Items      *schema           `json:"items,omitempty"`
}

// jsonAnswer makes up an answer in the format that a request asks for, the same for the same seed. It is empty when that format
// is text.
func jsonAnswer(format *ResponseFormat, seed int64) string {
	var value any
	switch {
	case format == nil || format.Type == "text":
		return ""
	case format.Type == "json_schema":
		value = format.JSONSchema.Schema.value("", uint64(seed)) //nolint:gosec // Any number will do.
	default:
		value = map[string]any{"answer": "yes"}
	}
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // The value consists of texts and numbers.
	}
	return string(text)
}

// value makes up a value of a member with the name that the schema describes.
func (s schema) value(name string, seed uint64) any {
	switch {
	case len(s.Enum) > 0:
		return s.Enum[seed%uint64(len(s.Enum))]
	case s.Type == "object":
		object := make(map[string]any)
		for member, property := range s.Properties {
			object[member] = property.value(member, seed)
		}
		return object
	case s.Type == "array" && s.Items != nil:
		return []any{s.Items.value(name, seed)}
	case s.Type == "boolean":
		return seed%2 == 1
	case s.Type == "integer", s.Type == "number":
		return seed % 100
	case name == "language":
		return "en"
	default:
		return "simulated " + name
	}
}
