package wirejson_test

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/internal/wirejson"
)

// Every schema of a response is encoded as by encoding/json, without HTML escapes. The client's types, which can be listed, have
// the server's schemas. Only they use omitzero, which the encoder does not know, so their times are never zero.
func TestSchemasAreEncodedAsByEncodingJSON(t *testing.T) {
	t.Parallel()
	generated, err := os.ReadFile("../../gen/api/api.gen.go")
	require.NoError(t, err)
	require.NotContains(t, string(generated), "omitzero")
	schemas := make(map[reflect.Type]bool)
	for method := range reflect.TypeFor[*plain.ClientWithResponses]().Methods() {
		response := method.Type.Out(0).Elem()
		for i := range response.NumField() {
			if field := response.Field(i); strings.HasPrefix(field.Name, "JSON") || strings.HasPrefix(field.Name, "ApplicationproblemJSON") {
				schemas[field.Type.Elem()] = true
			}
		}
	}
	require.Greater(t, len(schemas), 30)
	require.Contains(t, schemas, reflect.TypeFor[client.TicketWithMessages]())
	rapid.Check(t, func(t *rapid.T) {
		for schema := range schemas {
			value := reflect.New(schema).Elem()
			fill(t, value)
			want, wantErr := json.Marshal(value.Interface())
			got, err := wirejson.Marshal(value.Interface())
			require.Equal(t, wantErr == nil, err == nil, "%v: %v, %v", schema, wantErr, err)
			if err == nil {
				require.Equal(t, withoutHTMLEscapes(string(want)), string(got), "%v", schema)
			}
		}
	})
}

// withoutHTMLEscapes decodes the escapes of <, > and & that no backslash escapes.
func withoutHTMLEscapes(text string) string {
	return strings.NewReplacer(`\\`, `\\`, `\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(text)
}

var texts = rapid.StringOf(rapid.SampledFrom([]rune(`\u003ceE&<>"0/` + "\n\t\r\b\f\x00\x1f\x7f\u0085\u2028\u2029é語🔑")))

// fill sets a value at random.
func fill(t *rapid.T, v reflect.Value) {
	if !v.CanSet() {
		return
	}
	if v.Type().ConvertibleTo(reflect.TypeFor[time.Time]()) {
		at := time.Unix(rapid.Int64Range(1, 1<<33).Draw(t, "time"), 1000).UTC()
		v.Set(reflect.ValueOf(at).Convert(v.Type()))
		return
	}
	if union, ok := v.Addr().Interface().(json.Unmarshaler); ok && v.Kind() == reflect.Struct {
		encoded, err := json.Marshal(map[string]string{"text": texts.Draw(t, "union")})
		require.NoError(t, err)
		_ = union.UnmarshalJSON(encoded)
		return
	}
	switch value := v.Addr().Interface().(type) {
	case *json.RawMessage:
		*value, _ = json.Marshal([]any{texts.Draw(t, "raw"), 1.5, nil})
		return
	case *uuid.UUID:
		copy(value[:], rapid.SliceOfN(rapid.ByteMin(1), 16, 16).Draw(t, "id"))
		return
	case *any:
		*value = rapid.SampledFrom([]any{nil, true, 1e21, 0.000001, 12.5, "<&>", []any{"a", nil}, map[string]any{"b": 1.0, "a": "\u2028"}}).Draw(t, "any")
		return
	}
	fillKind(t, v)
}

func fillKind(t *rapid.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(int64(rapid.Int32().Draw(t, "int")))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(rapid.Float64Range(-1e22, 1e22).Draw(t, "float"))
	case reflect.String:
		v.SetString(texts.Draw(t, "text"))
	case reflect.Pointer:
		if rapid.Bool().Draw(t, "set") {
			v.Set(reflect.New(v.Type().Elem()))
			fill(t, v.Elem())
		}
	case reflect.Slice:
		if n := rapid.IntRange(-1, 2).Draw(t, "length"); n >= 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				fill(t, v.Index(i))
			}
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range rapid.IntRange(0, 3).Draw(t, "members") {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(t, key)
			fill(t, value)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i))
		}
	}
}

func TestTextIsWrittenWithALineFeed(t *testing.T) {
	t.Parallel()
	for range 3 {
		text, err := wirejson.Encode(map[string]string{"b": "<", "a": "&"})
		require.NoError(t, err)
		var written bytes.Buffer
		_, err = text.WriteTo(&written)
		require.NoError(t, err)
		require.Equal(t, "{\"a\":\"&\",\"b\":\"<\"}\n", written.String())
	}
	_, err := wirejson.Encode(make(chan int))
	require.Error(t, err)
}

func TestEncodingAListAllocatesLittle(t *testing.T) { //nolint:paralleltest // It counts what the process allocates.
	tickets := make([]client.Ticket, 20)
	encode := func() {
		text, err := wirejson.Encode(tickets)
		require.NoError(t, err)
		_, err = text.WriteTo(&bytes.Buffer{})
		require.NoError(t, err)
	}
	require.Less(t, testing.AllocsPerRun(100, encode), 100.0)
}
