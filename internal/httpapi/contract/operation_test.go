package contract

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/api"
)

// The server must not start with a contract that it cannot fulfil.
func TestContractWithInvalidIdempotencyIsRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(doc *openapi3.T){
		"a public operation": func(doc *openapi3.T) { delete(doc.Paths.Value("/auth/login").Post.Extensions, "x-idempotency") },
		"an unknown setting": func(doc *openapi3.T) {
			doc.Paths.Value("/tickets").Post.Extensions["x-idempotency"] = "some"
		},
		"a stream": func(doc *openapi3.T) {
			item := doc.Paths.Value("/tickets/{ticket_id}/ai-response")
			item.Get.Parameters = append(item.Get.Parameters, doc.Paths.Value("/tickets").Post.Parameters...)
		},
	} {
		doc, err := Read(api.SpecJSON)
		require.NoError(t, err)
		_, err = Compile(doc, nil)
		require.NoError(t, err)
		change(doc)
		_, err = Compile(doc, nil)
		require.ErrorContains(t, err, "x-idempotency", name)
	}
}

// The server reads only a part of the contract when it starts. It must check requests as with the whole contract.
func TestRequestsPartEqualsTheContract(t *testing.T) {
	t.Parallel()
	whole, err := openapi3.NewLoader().LoadFromData(api.SpecJSON)
	require.NoError(t, err)
	want := checksOf(t, whole)
	require.Greater(t, len(want), 90)
	require.Less(t, len(api.RequestsJSON), len(api.SpecJSON)/5)
	for _, text := range [][]byte{api.SpecJSON, api.RequestsJSON} {
		read, err := Read(text)
		require.NoError(t, err)
		require.Equal(t, want, checksOf(t, read))
	}
}

// checksOf returns the checks of each operation in a document.
func checksOf(t *testing.T, doc *openapi3.T) map[string][]any {
	t.Helper()
	operations, err := Compile(doc, nil)
	require.NoError(t, err)
	checks := make(map[string][]any)
	for _, op := range operations {
		slices.Sort(op.produces)
		all := []any{op.Role, op.Scopes, op.QueryToken, op.Limited, op.Cost, op.Keyed, op.Versioned, op.produces}
		for _, p := range append(op.parameters, op.onBehalfOf) {
			if p != nil {
				all = append(all, p.In, p.Name, p.Required, p.Style, p.Explode, rulesOf(t, p.Schema))
			}
		}
		for _, mediaType := range slices.Sorted(maps.Keys(op.bodies)) {
			body := op.bodies[mediaType]
			all = append(all, mediaType, body.limit, rulesOf(t, openapi3.NewSchemaRef("", body.schema)))
		}
		checks[op.Method+" "+op.Path+" "+op.ID] = all
	}
	return checks
}

// rulesOf returns the rules of a schema and its parts.
func rulesOf(t *testing.T, ref *openapi3.SchemaRef) []any {
	t.Helper()
	if ref == nil {
		return nil
	}
	own := *ref.Value
	own.Title, own.Description, own.Example, own.Examples, own.ExternalDocs = "", "", nil, nil, nil
	own.Extensions = maps.Clone(own.Extensions)
	maps.DeleteFunc(own.Extensions, func(name string, _ any) bool {
		return strings.HasPrefix(name, "x-go-") || name == "x-visibility"
	})
	var parts []any
	for _, name := range slices.Sorted(maps.Keys(own.Properties)) {
		parts = append(parts, name, rulesOf(t, own.Properties[name]))
	}
	for _, list := range []openapi3.SchemaRefs{own.OneOf, own.AnyOf, own.AllOf, {own.Not, own.Items, own.PropertyNames, own.AdditionalProperties.Schema}} {
		for _, part := range list {
			parts = append(parts, rulesOf(t, part))
		}
		parts = append(parts, len(list))
	}
	own.Properties, own.OneOf, own.AnyOf, own.AllOf = nil, nil, nil, nil
	own.Not, own.Items, own.PropertyNames, own.AdditionalProperties.Schema = nil, nil, nil, nil
	text, err := own.MarshalJSON()
	require.NoError(t, err)
	return append(parts, string(text))
}
