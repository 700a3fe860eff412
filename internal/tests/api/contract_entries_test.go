package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every operation that writes must list the journal entries that it may add. In every test, contracttest checks that the
// lists are right.
func TestOperationsThatWriteListTheirEntries(t *testing.T) {
	t.Parallel()
	for _, o := range specOperations(t) {
		require.True(t, o.method == http.MethodGet || o.Extensions["x-events"] != nil,
			"%s: nobody has said which entries it writes (x-events)", o.OperationID)
		types, _ := o.Extensions["x-events"].([]any)
		for _, name := range types {
			require.Regexp(t, `^[a-z_]{1,30}\.[a-z_]{1,30}$`, name, o.OperationID)
		}
	}
}
