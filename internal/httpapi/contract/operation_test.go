package contract

import (
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/api"
)

// A server does not start on a contract that promises what it cannot keep.
func TestContractThatKeepsKeysOfNobodyIsRefused(t *testing.T) {
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
		doc, err := api.GetSpec()
		require.NoError(t, err)
		_, err = Compile(doc, nil)
		require.NoError(t, err)
		change(doc)
		_, err = Compile(doc, nil)
		require.ErrorContains(t, err, "x-idempotency", name)
	}
}
