package client

import (
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client/plain"
)

// TestEveryEventTypeIsKnown finds the contract's event types in the methods of the generated union, such as
// AsDeltaEvent.
func TestEveryEventTypeIsKnown(t *testing.T) {
	t.Parallel()
	found := 0
	for method := range reflect.TypeFor[plain.AIResponseEvent]().Methods() {
		name, isEvent := strings.CutPrefix(method.Name, "As")
		if !isEvent {
			continue
		}
		found++
		var union plain.AIResponseEvent
		kind := strings.ToLower(strings.TrimSuffix(name, "Event"))
		require.NoError(t, union.UnmarshalJSON([]byte(`{"type":"`+kind+`"}`)))
		event, err := EventOf(union)
		require.NoError(t, err)
		require.NotNil(t, event, kind)
		decoded, isValue := reflect.TypeOf(&union).MethodByName(method.Name)
		require.True(t, isValue)
		require.Equal(t, fieldsOf(decoded.Type.Out(0)), fieldsOf(reflect.TypeOf(event)), kind)
	}
	require.Len(t, decoders, found)
}

// fieldsOf returns the types and tags of the fields with JSON names.
func fieldsOf(structure reflect.Type) map[string][2]string {
	fields := map[string][2]string{}
	for field := range structure.Fields() {
		if tag := field.Tag.Get("json"); tag != "" && tag != "-" {
			fields[field.Name] = [2]string{field.Type.String(), tag}
		}
	}
	return fields
}

func TestUnknownEventsAreIgnored(t *testing.T) {
	t.Parallel()
	for _, sent := range []struct{ name, data string }{
		{"ping", "not JSON"}, {"", `{"type":"later"}`}, {"later", `{"type":"delta"}`}, {"", `{}`},
	} {
		event, err := decodeEvent(frame{name: sent.name, data: []byte(sent.data)})
		require.NoError(t, err)
		require.Nil(t, event)
	}
	_, err := decodeEvent(frame{name: "delta", data: []byte("not JSON")})
	require.Error(t, err)
}

func TestEventDecoder(t *testing.T) {
	t.Parallel()
	const name, id = "reset", "0199d3c6:4:2"
	for _, end := range []string{"\n", "\r\n", "\r"} {
		stream := strings.ReplaceAll("\ufeff: a comment\nretry: 250\nid: "+id+"\nevent: "+name+"\ndata: one\ndata:two\n\n"+
			"event: without data\n\ndata\n\ndata: broken off", "\n", end)
		decoder := newEventDecoder(strings.NewReader(stream))
		first, err := decoder.next()
		require.NoError(t, err)
		require.Equal(t, frame{id: id, name: name, data: []byte("one\ntwo")}, first)
		require.Equal(t, 250*time.Millisecond, *decoder.retry)
		second, err := decoder.next()
		require.NoError(t, err)
		require.Empty(t, second.name)
		require.Empty(t, second.data)
		_, err = decoder.next()
		require.ErrorIs(t, err, io.EOF)
	}
}

func TestEventDecoderLimitsSizes(t *testing.T) {
	t.Parallel()
	line := strings.Repeat("x", maxEvent/2)
	for _, stream := range []string{
		"data: " + line + line,
		strings.Repeat("data: "+line+"\n", 3),
	} {
		_, err := newEventDecoder(strings.NewReader(stream)).next()
		require.ErrorIs(t, err, ErrProtocol)
	}
}

func TestSplitEventID(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		id, response string
		seq          uint64
		isNumbered   bool
	}{
		{"a:4", "a", 4, true}, {"a:4:2", "a", 4, true}, {"a", "a", 0, false}, {"", "", 0, false}, {"a:x", "a", 0, false},
	} {
		response, seq, isNumbered := splitEventID(test.id)
		require.Equal(t, test.response, response, test.id)
		require.Equal(t, test.seq, seq, test.id)
		require.Equal(t, test.isNumbered, isNumbered, test.id)
	}
}
