package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/testing/contracttest"
)

func TestEveryOperationIsExplained(t *testing.T) {
	t.Parallel()
	ids := make(map[string]bool)
	for _, o := range specOperations(t) {
		require.Regexp(t, `^[a-z]+([A-Z][a-z]*)+(V[0-9])?$`, o.OperationID, "%s %s", o.method, o.template)
		require.False(t, ids[o.OperationID], "%s is there twice", o.OperationID)
		ids[o.OperationID] = true
		require.NotEmpty(t, o.Summary, o.OperationID)
		require.NotEmpty(t, o.Description, o.OperationID)
		require.Len(t, o.Tags, 1, o.OperationID)
		require.NotNil(t, contracttest.Spec(t).Tags.Get(o.Tags[0]), o.OperationID)
		if o.RequestBody != nil {
			requireExamples(t, o.OperationID, o.RequestBody.Value.Content)
		}
		for status, response := range o.Responses.Map() {
			where := o.OperationID + " " + status
			require.NotNil(t, response.Value.Description, where)
			require.NotEmpty(t, *response.Value.Description, where)
			if status != "204" && status != "304" {
				require.NotEmpty(t, response.Value.Content, where)
			}
			requireExamples(t, where, response.Value.Content)
		}
		for _, parameter := range o.Parameters {
			require.NotEmpty(t, parameter.Value.Description, "%s %s", o.OperationID, parameter.Value.Name)
		}
	}
}

// requireExamples checks that every media type has examples, and that they match its schema.
func requireExamples(t *testing.T, where string, content openapi3.Content) {
	t.Helper()
	for mediaType, media := range content {
		require.NotEmpty(t, media.Examples, "%s %s", where, mediaType)
		for name, example := range media.Examples {
			require.NotEmpty(t, example.Value.Summary, "%s %s %s", where, mediaType, name)
			for _, value := range exampleValues(t, mediaType, example.Value.Value) {
				err := media.Schema.Value.VisitJSON(value, openapi3.MultiErrors())
				require.NoError(t, err, "%s %s %s", where, mediaType, name)
			}
		}
	}
}

// exampleValues returns the values of an example: one, or the events or lines of a stream.
func exampleValues(t *testing.T, mediaType string, example any) (values []any) {
	t.Helper()
	prefix, streams := map[string]string{"text/event-stream": "data: ", "application/x-ndjson": ""}[mediaType]
	if !streams {
		return []any{example}
	}
	for line := range strings.Lines(fmt.Sprint(example)) {
		if data, ok := strings.CutPrefix(line, prefix); ok && data != "[DONE]\n" {
			var event any
			require.NoError(t, json.Unmarshal([]byte(data), &event))
			values = append(values, event)
		}
	}
	require.NotEmpty(t, values)
	return values
}

func TestExamplesOfProblemsMatchTheServersResponses(t *testing.T) {
	t.Parallel()
	for name, example := range contracttest.Spec(t).Components.Examples {
		problem, ok := example.Value.Value.(map[string]any)
		if !ok || problem["request_id"] == nil {
			continue
		}
		require.Equal(t, fmt.Sprintf("/problems/%v", problem["code"]), problem["type"], name)
	}
	for _, o := range specOperations(t) {
		for status, response := range o.Responses.Map() {
			for mediaType, media := range response.Value.Content {
				if mediaType != "application/problem+json" {
					continue
				}
				for name, example := range media.Examples {
					problem, ok := example.Value.Value.(map[string]any)
					require.True(t, ok, name)
					require.Equal(t, name, problem["code"], o.OperationID)
					require.Equal(t, status, fmt.Sprint(problem["status"]), "%s %s", o.OperationID, name)
				}
			}
		}
	}
}
