package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/internal/apperr"
)

// requireStrict compares an accepted text with encoding/json, which is more lenient and independent of our code.
func requireStrict(t *testing.T, text []byte, value any) {
	t.Helper()
	require.True(t, utf8.Valid(text))
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var want any
	require.NoError(t, decoder.Decode(&want))
	require.Equal(t, want, value)
	_, err := decoder.Token()
	require.ErrorIs(t, err, io.EOF)

	tokens := json.NewDecoder(bytes.NewReader(text))
	tokens.UseNumber()
	requireNesting(t, tokens, 0)
	requireNames(t, value)
}

// requireNesting reads one value and checks that its nesting is bounded and its names are unique.
func requireNesting(t *testing.T, tokens *json.Decoder, depth int) {
	t.Helper()
	require.LessOrEqual(t, depth, 32)
	token, err := tokens.Token()
	require.NoError(t, err)
	switch token {
	case json.Delim('['):
		for tokens.More() {
			requireNesting(t, tokens, depth+1)
		}
	case json.Delim('{'):
		names := map[string]bool{}
		for tokens.More() {
			name, err := tokens.Token()
			require.NoError(t, err)
			text := fmt.Sprint(name)
			require.False(t, names[text], "the name %q occurs twice", text)
			names[text] = true
			requireNesting(t, tokens, depth+1)
		}
	default:
		return
	}
	_, err = tokens.Token()
	require.NoError(t, err)
}

// requireNames checks that no name has control characters or other characters that are not text. Values may have them
// where the schema does not restrict the value.
func requireNames(t *testing.T, value any) {
	t.Helper()
	switch value := value.(type) {
	case string:
		require.True(t, utf8.ValidString(value))
	case []any:
		for _, element := range value {
			requireNames(t, element)
		}
	case map[string]any:
		for name, member := range value {
			require.True(t, utf8.ValidString(name))
			require.False(t, strings.ContainsAny(name, "\ufffe\uffff"))
			for _, r := range name {
				require.True(t, r >= ' ' || r == '\t' || r == '\n' || r == '\r', "%q", name)
			}
			requireNames(t, member)
		}
	}
}

func FuzzDecodeJSON(f *testing.F) {
	for _, seed := range []string{
		`{"title":"A title","description":"Line\nbreak\ttab \u00e9 \ud83d\ude00"}`, `{"a":{"b":[1,-0,1e400,9007199254740993]}}`,
		`null`, `true`, `false`, `""`, `0`, `-1.5E+10`, `[]`, `{}`, ` {"a" : [ ] } `, `[[],{},[{}]]`, `{"":""}`,
		`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"a":{"b":1,"b":1}}`, `{"a":1,"a":`, `{"a":1}{"a":1}`, `{"a":1} x`,
		`"\ud800"`, `"\ude00\ud83d"`, `"\ud83d\u0041"`, `{"\ud800":1}`, `"\u0000"`, `{"a\u0001":1}`, `"\ufffe"`, `"\uffff"`,
		"\"\xff\"", "\"\xed\xa0\x80\"", "\"\xc0\x80\"", "\uFEFF{}", "{}\x00", "\"a\x00b\"", "\"a\nb\"", `NaN`, `[1,]`, `{"a":1,}`,
		`01`, `+1`, `.5`, `1.`, `0x10`, `1e`, `-`, `"\x41"`, `'a'`, `{a:1}`, `/**/1`, `nul`, ``, `{`, `"`, `[`, `{"a"`, `{"a":`,
		strings.Repeat("[", 32) + strings.Repeat("]", 32), strings.Repeat("[", 33) + strings.Repeat("]", 33),
		strings.Repeat(`{"a":`, 31) + "[1]" + strings.Repeat("}", 31), strings.Repeat("[", 10001),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := decodeJSON(text, anything)
		switch {
		case err != nil:
			require.Empty(t, got.faults)
		case len(got.faults) > 0:
			require.True(t, !got.whole || json.Valid(text), "a text that cannot be parsed is malformed")
			require.LessOrEqual(t, len(got.faults), MaxFaults)
			for _, fault := range got.faults {
				require.True(t, fault.Pointer == "" || fault.Pointer[0] == '/', "%q", fault.Pointer)
			}
		default:
			requireStrict(t, text, got.value)
		}
	})
}

// jsonMaker writes random JSON values of every kind that the decoder must accept.
type jsonMaker struct{ *rand.Rand }

func (m jsonMaker) space() string {
	return []string{"", "", "", " ", "\n", "\t\r\n "}[m.IntN(6)]
}

func (m jsonMaker) text() string {
	pieces := []string{
		"a", "Z", " ", `\"`, `\\`, `\/`, `\n`, `\r`, `\t`, `\u0041`, `\ud83d\ude00`, "é", "e\u0301", "漢", "😀", "\u202e",
		"\u00a0", "\ufffd", "<script>", "%s", `\ufffd`,
	}
	var b strings.Builder
	for range m.IntN(8) {
		b.WriteString(pieces[m.IntN(len(pieces))])
	}
	return b.String()
}

func (m jsonMaker) number() string {
	return []string{"0", "-0", "1", "-12.5", "1e5", "1E-400", "1e400", "9007199254740993", "0.000", "123456789012345678901234567890"}[m.IntN(10)]
}

func (m jsonMaker) value(depth int) string {
	kind := m.IntN(7)
	if depth == 0 {
		kind = m.IntN(5)
	}
	var parts []string
	switch kind {
	case 0:
		return m.number()
	case 1, 2:
		return `"` + m.text() + `"`
	case 3:
		return "null"
	case 4:
		return []string{"true", "false"}[m.IntN(2)]
	case 5:
		for range m.IntN(4) {
			parts = append(parts, m.space()+m.value(depth-1)+m.space())
		}
		return "[" + m.space() + strings.Join(parts, ",") + "]"
	default:
		for i := range m.IntN(4) {
			name := fmt.Sprintf(`"%s%d"`, m.text(), i)
			parts = append(parts, m.space()+name+m.space()+":"+m.space()+m.value(depth-1))
		}
		return "{" + strings.Join(parts, ",") + m.space() + "}"
	}
}

func TestEveryValidJSONValueIsAccepted(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5000) {
		m := jsonMaker{rand.New(rand.NewPCG(seed, 0))}
		text := m.space() + m.value(6) + m.space()
		got, err := decodeJSON([]byte(text), anything)
		require.NoError(t, err, "seed %d: %s", seed, text)
		require.Empty(t, got.faults, "seed %d: %s", seed, text)
		requireStrict(t, []byte(text), got.value)
	}
}

func TestDepthCountsLevels(t *testing.T) {
	t.Parallel()
	schemas := map[string]*openapi3.Schema{
		"kept": anything, "read and not kept": openapi3.NewStringSchema(), "unknown": closed(openapi3.NewObjectSchema()),
	}
	for depth := 1; depth <= 40; depth++ {
		for _, text := range []string{
			strings.Repeat("[", depth) + strings.Repeat("]", depth),
			strings.Repeat("[", depth) + "1" + strings.Repeat("]", depth),
			strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth),
			strings.Repeat("[", depth-1) + "{}" + strings.Repeat("]", depth-1),
		} {
			for name, schema := range schemas {
				got, err := decodeJSON([]byte(text), schema)
				require.Equal(t, depth > maxDepth, err != nil, "%s: %s", name, text)
				require.Equal(t, err == nil, got.whole)
			}
		}
	}
}

// closed makes an object schema refuse undeclared members.
func closed(schema *openapi3.Schema) *openapi3.Schema {
	no := false
	schema.AdditionalProperties.Has = &no
	return schema
}

func TestNumberOfFaultsIsBounded(t *testing.T) {
	t.Parallel()
	name := strings.Repeat("n", 30000)
	texts := openapi3.NewObjectSchema().WithAdditionalProperties(openapi3.NewArraySchema().WithItems(openapi3.NewStringSchema()))
	got, err := decodeJSON([]byte(`{"`+name+`":["`+strings.Repeat(`\u0001","`, 3000)+`"]}`), texts)
	require.NoError(t, err)
	require.Len(t, got.faults, MaxFaults)
	require.False(t, got.whole)

	doc, err := Read(api.SpecJSON)
	require.NoError(t, err)
	schema := doc.Components.Schemas["CreateTicketRequest"].Value
	got, err = decodeJSON(filled(LeastBodyLimit, "{", `"#":1,`, "}"), schema)
	require.NoError(t, err)
	require.Len(t, got.faults, MaxFaults)
	require.False(t, got.whole, "members that come later do not count as missing")

	got, err = decodeJSON(filled(LeastBodyLimit, "[", `"",`, "]"), anything)
	require.NoError(t, err)
	require.Equal(t, []apperr.Field{{Pointer: "/8191", Code: apperr.TooLong}}, got.faults)
}

// TestValidatorRefusesWhatTheDecoderAccepts has a schema whose rules the decoder does not check.
func TestValidatorRefusesWhatTheDecoderAccepts(t *testing.T) {
	t.Parallel()
	part := closed(openapi3.NewObjectSchema().WithProperty("a", openapi3.NewStringSchema()))
	schema := openapi3.NewAllOfSchema(part)
	got, err := decodeJSON([]byte(`{"b":1}`), schema)
	require.NoError(t, err)
	require.Empty(t, got.faults)
	require.Equal(t, []apperr.Field{{Code: apperr.InvalidFormat}}, newValidator(nil).validate(schema, got.value))
}

func TestDecoderKeepsOnlyDeclaredMembers(t *testing.T) {
	t.Parallel()
	text := openapi3.NewStringSchema().WithMaxLength(3)
	schema := closed(openapi3.NewObjectSchema().WithProperty("text", text).
		WithProperty("list", openapi3.NewArraySchema().WithItems(text).WithMaxItems(2)))
	for given, want := range map[string]string{
		`{"text":"😀😀😀😀😀","list":["a","bcdefg","c","d"]}`: `{"text":"😀😀😀😀","list":["a","bcde","c"]}`,
		`{"text":{"a":[1,{}]},"list":{"b":"c"}}`:         `{"text":{},"list":{}}`,
		`{"text":["a"],"list":[["b"],{"c":1}]}`:          `{"text":[],"list":[[],{}]}`,
		`{"more":{"text":"a"},"text":"b","text":"c"}`:    `{"more":null,"text":"b"}`,
	} {
		got, err := decodeJSON([]byte(given), schema)
		require.NoError(t, err)
		require.True(t, got.whole)
		kept, err := json.Marshal(got.value)
		require.NoError(t, err)
		require.JSONEq(t, want, string(kept))
	}
}
