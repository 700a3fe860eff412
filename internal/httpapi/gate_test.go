package httpapi

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/internal/httpapi/contract"
)

// An operation without a known scope must not be open to every key, so the server refuses to start.
func TestContractWithoutScopesIsRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(extensions map[string]any){
		"nothing said":     func(extensions map[string]any) { delete(extensions, "x-scope") },
		"empty":            func(extensions map[string]any) { extensions["x-scope"] = "" },
		"an unknown scope": func(extensions map[string]any) { extensions["x-scope"] = "tickets" },
		"on behalf":        func(extensions map[string]any) { extensions["x-scope"] = "on_behalf" },
		"a list":           func(extensions map[string]any) { extensions["x-scope"] = []any{"ai"} },
	} {
		doc, err := contract.Read(api.SpecJSON)
		require.NoError(t, err)
		change(doc.Paths.Value("/tickets").Post.Extensions)
		operations, err := contract.Compile(doc, nil)
		require.NoError(t, err)
		_, err = newGate(operations)
		require.ErrorContains(t, err, "x-scope", name)
	}
}
