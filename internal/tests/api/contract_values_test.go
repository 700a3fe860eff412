package api_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"pgregory.net/rapid"

	"github.com/supportbackend/support/internal/config"
	"github.com/supportbackend/support/internal/password"
)

// alphabet has the characters of generated texts: several scripts and widths, combining marks, and characters that
// other languages quote.
var alphabet = []rune("abcXYZ019 .,-_'\"\\/<>&%$;{}[]äßéİКя漢字אب🙂👩‍💻e\u0301")

// length is the length of generated texts.
type length int

const (
	anyLength length = iota
	shortest
	longest
)

// validValue generates what a schema describes.
func validValue(ref *openapi3.SchemaRef, l length) *rapid.Generator[any] {
	s := ref.Value
	switch {
	case len(s.Enum) > 0:
		return rapid.SampledFrom(s.Enum)
	case len(s.AllOf) == 1:
		return validValue(s.AllOf[0], l)
	case strings.HasSuffix(ref.Ref, "/Model"):
		return rapid.Just[any](config.Defaults().GroqModel) // The server decides which models exist.
	case strings.HasSuffix(ref.Ref, "/ClientMessage"):
		return clientMessage().AsAny()
	case s.Type.Is("boolean"):
		return rapid.Bool().AsAny()
	case s.Type.Is("integer"):
		// Tests must not wait for long.
		return rapid.SampledFrom([]int64{int64(*s.Min), min(int64(*s.Max), 1000)}).AsAny()
	case s.Type.Is("object"):
		return validObject(s, l).AsAny()
	case s.Type.Is("array"):
		distinct := func(item any) string { return fmt.Sprint(item) }
		return rapid.SliceOfNDistinct(validValue(s.Items, l), max(int(s.MinItems), 1), min(int(*s.MaxItems), 100), distinct).AsAny()
	case s.Format == "date-time":
		return rapid.Just[any]("2099-01-01T00:00:00Z") // Times in requests must be in the future.
	default:
		return validString(s, l).AsAny()
	}
}

// clientMessage generates a chat client's message, most of which the contract leaves open.
func clientMessage() *rapid.Generator[map[string]any] {
	text := rapid.StringOfN(rapid.SampledFrom(alphabet), 0, 40, -1)
	return rapid.Custom(func(t *rapid.T) map[string]any {
		said := "x" + text.Draw(t, "text")
		return map[string]any{
			"id": rapid.StringMatching(`[!-~]{1,40}`).Draw(t, "id"), "role": "user", "metadata": map[string]any{"a": []any{1, nil}},
			"parts": []any{map[string]any{"type": "step-start"}, map[string]any{"type": "text", "text": said}},
		}
	})
}

func validString(s *openapi3.Schema, l length) *rapid.Generator[string] {
	switch {
	case s.Format == "email":
		return rapid.StringMatching(`[a-z][a-z0-9.+_-]{0,40}[a-z0-9]@[a-z]([a-z0-9-]{0,20}[a-z0-9])?\.(example|test)`).
			Filter(func(v string) bool { return !strings.Contains(v, "..") })
	case strings.HasPrefix(s.Pattern, "^") && !isText(s):
		return rapid.StringMatching(s.Pattern).Filter(func(v string) bool {
			return utf8.RuneCountInString(v) >= int(s.MinLength) && utf8.RuneCountInString(v) <= int(*s.MaxLength)
		})
	}
	runes := alphabet
	if s.Format == "text" {
		runes = append(slices.Clone(alphabet), '\n', '\t')
	}
	least, most := max(int(s.MinLength), 1), int(*s.MaxLength)
	lengths := rapid.OneOf(rapid.SampledFrom([]int{least, most}), rapid.IntRange(least, min(most, least+40)))
	switch l {
	case shortest:
		lengths = rapid.Just(least)
	case longest:
		lengths = rapid.Just(most)
	}
	text := rapid.Custom(func(t *rapid.T) string {
		n := lengths.Draw(t, "length")
		few, many := 1, 40
		if s.Format == "password" {
			few, many = n, n // A password must not repeat itself.
		}
		some := rapid.StringOfN(rapid.SampledFrom(runes), few, many, -1).Draw(t, "text")
		all := []rune("x" + strings.Repeat(some, n))
		return string(all[:n])
	})
	if s.Format == "password" && least > 1 { // A new password.
		return text.Filter(func(v string) bool { return !password.IsWeak(v) })
	}
	return text
}

// isText reports whether the schema's pattern only says which characters a text may have.
func isText(s *openapi3.Schema) bool { return strings.Contains(s.Pattern, `\x1F\x7F-`) }

// validObject generates an object with some of the optional members. With the least or greatest lengths it has all of
// them, except ids of things that do not exist.
func validObject(s *openapi3.Schema, l length) *rapid.Generator[map[string]any] {
	names := slices.Sorted(maps.Keys(s.Properties))
	return rapid.Custom(func(t *rapid.T) map[string]any {
		object := make(map[string]any)
		for _, name := range names {
			has := rapid.Bool()
			if l != anyLength {
				has = rapid.Just(s.Properties[name].Value.Format != "uuid")
			}
			if slices.Contains(s.Required, name) || has.Draw(t, "has "+name) {
				object[name] = validValue(s.Properties[name], l).Draw(t, name)
			}
		}
		if isMap(s) {
			members := rapid.MapOfN(validString(s.PropertyNames.Value, l), validValue(s.AdditionalProperties.Schema, l), 0, 3)
			maps.Copy(object, members.Draw(t, "members"))
		}
		if len(object) < int(s.MinProps) {
			object[names[0]] = validValue(s.Properties[names[0]], l).Draw(t, names[0])
		}
		return object
	})
}

// invalidValues returns values that the schema does not allow, by their fault. Query parameters and headers are text,
// so a wrong type cannot occur there.
func invalidValues(ref *openapi3.SchemaRef) map[string]any {
	s := ref.Value
	values := make(map[string]any)
	switch {
	case len(s.Enum) > 0:
		values["none of the enum"] = "none of them"
	case s.Type.Is("integer"):
		values["too small"], values["too large"] = int64(*s.Min)-1, int64(*s.Max)+1
		values["a word"], values["a fraction"] = "ten", "1.5"
	case s.Type.Includes("string"):
		values["too long"] = strings.Repeat("a", int(*s.MaxLength)+1)
		if s.Format == "email" {
			values["no address"] = "nobody"
		}
		if isText(s) {
			values["a control character"] = strings.Repeat("\u0001", max(int(s.MinLength), 1))
		} else if strings.HasPrefix(s.Pattern, "^") {
			values["against the pattern"] = strings.Repeat("ä ", max(int(s.MinLength), 1))
		}
	}
	return values
}

// wronglyTyped returns a value of a type other than the schema's.
func wronglyTyped(s *openapi3.Schema) any {
	switch {
	case s.Type.Is("boolean"):
		return "true"
	case s.Type.Is("integer"):
		return "12345"
	default:
		return 12345
	}
}
