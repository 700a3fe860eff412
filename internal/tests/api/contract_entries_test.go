package api_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/testing/storetest"
)

// entriesOf are the types of the journal entries that an operation may write, as x-events lists them. decided says that
// the contract has a list; an operation that only reads needs none.
func (o specOperation) entries(t *testing.T) (types []string, decided bool) {
	t.Helper()
	listed, decided := o.Extensions["x-events"].([]any)
	for _, value := range listed {
		name, ok := value.(string)
		require.True(t, ok, o.OperationID)
		require.Regexp(t, `^[a-z_]{1,30}\.[a-z_]{1,30}$`, name, o.OperationID)
		types = append(types, name)
	}
	return types, decided || o.method == http.MethodGet
}

// written is the entries of people and services in an outbox that nobody empties. Those of the AI and of the system come in
// their own time.
func (w *walk) written() (types []string) {
	text := storetest.QueryText(w.t, w.s.DatabaseURL, `SELECT coalesce(json_agg(type ORDER BY id), '[]')::text
		FROM journal_outbox WHERE actor_kind NOT IN ('ai', 'system')`)
	require.NoError(w.t, json.Unmarshal([]byte(text), &types))
	return types
}

// requireEntries sends a request and wants it to write entries of the types that its operation lists, and no others.
func (w *walk) requireEntries(o specOperation, send func()) {
	listed, decided := o.entries(w.t)
	if !decided {
		send()
		return
	}
	before := len(w.written())
	send()
	for _, name := range w.written()[before:] {
		require.Contains(w.t, listed, name, "%s writes an entry that its x-events do not list", o.OperationID)
	}
}
