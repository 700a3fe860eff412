package conversation

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/assistant/upstream"
	"github.com/supportbackend/support/internal/groq"
	"github.com/supportbackend/support/internal/prompt"
)

// line is one message of a ticket in a transcript for the AI: JSON, so that no text can pass for another author's.
type line struct {
	From string `json:"from"`
	At   string `json:"at"`
	Text string `json:"text"`
}

// readsNotes reports whether the AI reads notes for a staff request. A suggested reply is meant for the customer, so it
// must not be based on them.
func readsNotes(kind sqlc.AIResponseKind) bool { return kind != sqlc.AIResponseKindSuggestReply }

// ForStaff returns the conversation for a staff request: the whole ticket, as far as it fits.
func (c *Service) ForStaff(
	ctx context.Context, kind sqlc.AIResponseKind, version *int32, t sqlc.Ticket,
) (upstream.Conversation, error) {
	p, err := c.prompts.Version(ctx, version)
	if err != nil {
		return nil, err
	}
	system, err := prompt.StaffSystem(kind, p, t, time.Now())
	if err != nil {
		return nil, err
	}
	history, err := c.store.ListTranscript(ctx, sqlc.ListTranscriptParams{
		TicketID: t.ID, Notes: readsNotes(kind), MaxRows: historyMessages,
	})
	if err != nil {
		return nil, err
	}
	lines := []line{{From: string(sqlc.MessageAuthorCustomer), At: t.CreatedAt.UTC().Format(time.RFC3339), Text: t.Title + "\n\n" + t.Description}}
	for _, m := range slices.Backward(history) {
		from := string(m.Author)
		if m.IsNote {
			from = "note"
		}
		lines = append(lines, line{From: from, At: m.CreatedAt.UTC().Format(time.RFC3339), Text: m.Content})
	}
	messages := make([]groq.Message, len(lines))
	for i, l := range lines {
		text, err := l.encode()
		if err != nil {
			return nil, err
		}
		messages[i] = groq.Message{Role: groq.RoleUser, Content: text}
	}
	kept := upstream.Newest(messages, promptBytes-len(system))
	return slices.Insert(slices.Clone(kept), 0, groq.Message{Role: groq.RoleSystem, Content: system}), nil
}

func (l line) encode() (string, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(l)
	return strings.TrimSuffix(text.String(), "\n"), err
}
