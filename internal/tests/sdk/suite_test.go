package sdktest_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	sdktest "github.com/supportbackend/support/internal/tests/sdk"
)

// TestGoSDKFixtures runs every fixture.
func TestGoSDKFixtures(t *testing.T) {
	t.Parallel()
	fixtures, err := sdktest.Load()
	require.NoError(t, err)
	require.NotEmpty(t, fixtures)
	for _, fixture := range fixtures {
		t.Run(fixture.Name, func(t *testing.T) {
			t.Parallel()
			player := sdktest.NewPlayer(fixture)
			server := httptest.NewServer(http.StripPrefix("/below/a/path", player))
			defer server.Close()

			var kept []any
			transcripts := play(t, fixture, server.URL+"/below/a/path", func(tokens client.AccessToken) {
				kept = append(kept, tokens)
			})

			require.NoError(t, player.Verify())
			for _, transcript := range transcripts {
				requireSame(t, fixture.Transcript, transcript)
			}
			requireSame(t, fixture.Tokens, kept)
		})
	}
}

// play makes the calls of a fixture and returns the transcript of each.
func play(t *testing.T, fixture sdktest.Fixture, baseURL string, keep func(client.AccessToken)) [][]any {
	t.Helper()
	options := []client.Option{client.WithBaseURL(baseURL), client.WithToken(fixture.Client.Token)}
	if fixture.Client.RefreshToken != "" {
		options = append(options, client.WithRefreshToken(fixture.Client.RefreshToken, keep))
	}
	if fixture.Client.Retries != nil {
		options = append(options, client.WithRetries(*fixture.Client.Retries))
	}
	support, err := client.New(options...)
	require.NoError(t, err)

	transcripts := make([][]any, max(fixture.Call.Parallel, 1))
	var calls sync.WaitGroup
	for i := range transcripts {
		calls.Go(func() { transcripts[i] = call(t, support, fixture.Call) })
	}
	calls.Wait()
	return transcripts
}

// call calls the named method and returns the transcript.
func call(t *testing.T, support *client.Support, c sdktest.Call) []any {
	t.Helper()
	if c.Method == "answerOf" {
		message, err := client.AnswerOf(support.StreamAIResponse(t.Context(), uuid.MustParse(c.ID)))
		if err != nil {
			return []any{describe(err)}
		}
		return []any{map[string]any{"value": message}}
	}
	method := reflect.ValueOf(support).MethodByName(strings.ToUpper(c.Method[:1]) + c.Method[1:])
	arguments := []reflect.Value{reflect.ValueOf(t.Context())}
	for i := 1; i < method.Type().NumIn()-1; i++ {
		argument := reflect.New(method.Type().In(i))
		arguments = append(arguments, argument.Elem())
		data := c.Body
		switch {
		case argument.Elem().Type() == reflect.TypeFor[uuid.UUID]():
			data = []byte(`"` + c.ID + `"`)
		case argument.Elem().Kind() == reflect.Pointer:
			data = c.Params
		}
		if data != nil && json.Unmarshal(data, argument.Interface()) != nil {
			t.Errorf("%s does not take %s", c.Method, data)
		}
	}
	for name, value := range c.Headers {
		arguments = append(arguments, reflect.ValueOf(client.WithHeader(name, value)))
	}
	results := method.Call(arguments)
	if results[0].Kind() == reflect.Func {
		return collect(results[0])
	}
	if err, failed := reflect.TypeAssert[error](results[len(results)-1]); failed {
		return []any{describe(err)}
	}
	if len(results) == 1 {
		return []any{map[string]any{"value": nil}}
	}
	return []any{map[string]any{"value": results[0].Interface()}}
}

// collect returns the transcript of an iterator.
func collect(iterator reflect.Value) []any {
	var transcript []any
	for value, failure := range iterator.Seq2() {
		if err, failed := reflect.TypeAssert[error](failure); failed {
			transcript = append(transcript, describe(err))
			continue
		}
		entry := "item"
		if _, isEvent := value.Interface().(client.Event); isEvent {
			entry = "event"
		}
		transcript = append(transcript, map[string]any{entry: value.Interface()})
	}
	return transcript
}

// describe returns an error in the form of transcripts.
func describe(err error) any {
	var problem *client.Problem
	var failed client.Failed
	var ready client.Ready
	entry := map[string]any{"type": "network"}
	switch {
	case errors.As(err, &problem):
		entry = map[string]any{
			"type": "problem", "status": problem.Status, "code": problem.Code, "request_id": problem.RequestID,
		}
		if problem.RetryAfter > 0 {
			entry["retry_after"] = problem.RetryAfter.Seconds()
		}
		if problem.Errors != nil {
			entry["errors"] = problem.Errors
		}
	case errors.As(err, &failed):
		entry = map[string]any{
			"type": "failed", "ai_response_id": failed.AIResponseID, "code": failed.Code, "retryable": failed.Retryable,
		}
	case errors.As(err, &ready):
		entry = map[string]any{"type": "ready", "ai_response_id": ready.AIResponseID, "content": ready.Content}
	case errors.Is(err, client.ErrProtocol):
		entry["type"] = "protocol"
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		entry["type"] = err.Error()
	}
	return map[string]any{"error": entry}
}

func requireSame(t *testing.T, want []json.RawMessage, got []any) {
	t.Helper()
	wanted, err := json.Marshal(append([]json.RawMessage{}, want...))
	require.NoError(t, err)
	gotten, err := json.Marshal(append([]any{}, got...))
	require.NoError(t, err)
	require.JSONEq(t, string(wanted), string(gotten))
}
