package conversation

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/assistant/upstream"
	"github.com/supportbackend/support/internal/groq"
)

var now = time.Date(2026, time.November, 22, 9, 30, 0, 0, time.UTC)

func aTicket(description string) sqlc.Ticket {
	return sqlc.Ticket{Title: "Title", Description: description, Status: sqlc.TicketStatusOpen, CreatedAt: now}
}

func message(author sqlc.MessageAuthor, content string) sqlc.Message {
	return sqlc.Message{Author: author, Content: content}
}

func promptSize(messages []groq.Message) (n int) {
	for _, m := range messages {
		n += len(m.Content)
	}
	return n
}

func TestConversationKeepsItsOrder(t *testing.T) {
	t.Parallel()
	got, err := build(nil, aTicket("first"), []sqlc.Message{
		message(sqlc.MessageAuthorCustomer, "second"),
		message(sqlc.MessageAuthorAI, "third"),
		message(sqlc.MessageAuthorAgent, "fourth"),
		message(sqlc.MessageAuthorCustomer, "fifth"),
	}, now)
	require.NoError(t, err)
	require.Equal(t, groq.RoleSystem, got[0].Role)
	require.Contains(t, got[0].Content, "Today is 2026-11-22.")
	require.Contains(t, got[0].Content, `its status is "open"`)
	require.Equal(t, upstream.Conversation{
		{Role: groq.RoleUser, Content: "Title\n\nfirst"},
		{Role: groq.RoleUser, Content: "second"},
		{Role: groq.RoleAssistant, Content: "third"},
		{Role: groq.RoleAssistant, Content: "fourth"},
		{Role: groq.RoleUser, Content: "fifth"},
	}, got[1:])
}

func TestLongHistoryLosesItsOldestMessages(t *testing.T) {
	t.Parallel()
	var history []sqlc.Message
	for i := range 100 {
		history = append(history, message(sqlc.MessageAuthorCustomer, strings.Repeat("x", 8000)+string(rune('A'+i%26))))
	}
	got, err := build(nil, aTicket("the description"), history, now)
	require.NoError(t, err)
	require.LessOrEqual(t, promptSize(got), promptBytes)
	require.Greater(t, promptSize(got), promptBytes-10000, "as much as fits")
	require.Equal(t, groq.RoleSystem, got[0].Role)
	require.Equal(t, history[99].Content, got[len(got)-1].Content)
	require.Equal(t, history[98].Content, got[len(got)-2].Content)
}

func TestLongestTurnIsKept(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("👋", 8000)
	full := &sqlc.Prompt{Company: "x", Tone: sqlc.PromptToneFriendly, Instructions: strings.Repeat("x", 6<<10)}
	for _, p := range []*sqlc.Prompt{nil, full} {
		got, err := build(p, aTicket(strings.Repeat("👋", 10000)), []sqlc.Message{
			message(sqlc.MessageAuthorCustomer, longest),
		}, now)
		require.NoError(t, err)
		require.Len(t, got, 2)
		require.Equal(t, longest, got[1].Content)
		require.LessOrEqual(t, promptSize(got), promptBytes)

		got, err = build(p, aTicket(strings.Repeat("👋", 10000)), nil, now)
		require.NoError(t, err)
		require.LessOrEqual(t, promptSize(got), promptBytes)
		require.Len(t, got, 2)
	}
}
