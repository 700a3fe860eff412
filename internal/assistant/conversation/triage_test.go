package conversation_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/assistant/conversation"
)

// What a model writes becomes tags of the ticket, so the API must accept it from staff too.
func TestTriageHasOnlyTextThatTheAPIAccepts(t *testing.T) {
	t.Parallel()
	given, err := json.Marshal(map[string]any{
		"priority": "high", "language": "en", "sentiment": "angry", "hand_off": false,
		"tags":   []string{"a\u0000b", "\u202e", "\u3000", "two\u2028lines", "\u2066iso\u2069", "\ufffe", "A\tB"},
		"reason": "The customer\u202e waits.\n\n",
	})
	require.NoError(t, err)
	triage, err := conversation.ParseTriage(string(given))
	require.NoError(t, err)
	require.Equal(t, []string{"a b", "two lines", "iso"}, triage.Tags)
	require.Equal(t, "The customer waits.", triage.Reason)
}
