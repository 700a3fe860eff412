package api_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/testing/storetest"
)

// entries are the types of the journal entries that an operation may write, as x-events lists them.
func (o specOperation) entries(t *testing.T) (types []string) {
	t.Helper()
	listed, _ := o.Extensions["x-events"].([]any)
	for _, value := range listed {
		name, ok := value.(string)
		require.True(t, ok, o.OperationID)
		require.Regexp(t, `^[a-z_]{1,30}\.[a-z_]{1,30}$`, name, o.OperationID)
		types = append(types, name)
	}
	return types
}

// Whoever adds an operation says what it writes. One that only reads needs no list.
func TestOperationsThatWriteListTheirEntries(t *testing.T) {
	t.Parallel()
	for _, o := range specOperations(t) {
		require.True(t, o.method == http.MethodGet || o.Extensions["x-events"] != nil,
			"%s: nobody has said which entries it writes (x-events)", o.OperationID)
	}
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
	listed, before := o.entries(w.t), len(w.written())
	send()
	for _, name := range w.written()[before:] {
		require.Contains(w.t, listed, name, "%s writes an entry that its x-events do not list", o.OperationID)
	}
}
