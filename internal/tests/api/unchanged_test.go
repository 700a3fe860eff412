package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/testing/example"
)

// Somebody who saves a form twice must not make others, who send its version in If-Match, read it again.
func TestChangeThatChangesNothingHasNoEffect(t *testing.T) {
	t.Parallel()
	c := newCast(t)
	for _, o := range specOperations(t) {
		if o.method != http.MethodPatch && o.method != http.MethodPut {
			continue
		}
		t.Run(o.OperationID, func(t *testing.T) {
			change := c.prepare(t, o)
			if o.how.only == 0 {
				change.by = c.admin
			}
			if o.OperationID == "updateTicket" {
				change.body = encode(t, example.Body(o.Operation, "triage")) // Only another status is a change that is allowed.
			}
			first := c.do(t, change, change.body, jsonType)
			require.Contains(t, o.successes(t), first.Status, "%s", first.Body)
			c.requireUnchanged(t, func() {
				again := c.do(t, change, change.body, jsonType)
				require.Equal(t, first.Status, again.Status, "%s", again.Body)
				require.Equal(t, first.Header.Get("ETag"), again.Header.Get("ETag"))
				require.Equal(t, string(first.Body), string(again.Body))
			})
		})
	}
}
