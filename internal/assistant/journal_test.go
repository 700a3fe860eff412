package assistant_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/assistant"
	"github.com/supportbackend/support/internal/assistant/eventlog"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/groqtest"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// journal returns the journal entries of AI responses, one per line: type, actor, whether the customer sees it, and
// data.
func (b *fixture) journal(t *testing.T) string {
	t.Helper()
	return storetest.QueryText(t, b.url, `
		SELECT coalesce(string_agg(
			concat_ws(' ', type, actor_kind, CASE WHEN customer_id = $2 THEN 'seen' END, data::text),
			E'\n' ORDER BY id), '')
		FROM journal_outbox
		WHERE ticket_id = $1 AND (type LIKE 'ai_response.%' OR type = 'message.created' AND actor_kind = 'ai')`,
		b.ticket.ID, b.customer.ID)
}

func TestJournalEntriesOfAnswers(t *testing.T) {
	t.Parallel()
	const started = `ai_response.started ai seen {"kind": "answer", "model": "openai/gpt-oss-120b"}` + "\n"
	for name, c := range map[string]struct {
		script groqsim.Script
		// meddle, if set, runs while the answer is held before its second token.
		meddle func(t *testing.T, b *fixture, response sqlc.AIResponse)
		want   string
	}{
		"completed": {
			want: `message.created ai seen {"author": "ai"}` + "\n" +
				`ai_response.completed ai seen {"kind": "answer", "finish_reason": "stop"}`,
		},
		"failed": {
			script: groqsim.Script{EOFAfter: new(1)},
			want:   `ai_response.failed ai seen {"code": "ai_protocol", "kind": "answer"}`,
		},
		"cancelled": {
			meddle: func(t *testing.T, b *fixture, response sqlc.AIResponse) {
				t.Helper()
				_, err := b.service.Cancel(t.Context(), b.customer, response.ID)
				require.NoError(t, err)
			},
			want: `ai_response.cancelled customer seen {"kind": "answer"}`,
		},
		"superseded": {
			meddle: func(t *testing.T, b *fixture, _ sqlc.AIResponse) { t.Helper(); b.reply(t) },
			want:   `ai_response.superseded agent seen {"kind": "answer"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newFixture(t)
			if c.meddle != nil {
				c.script.Gates = []groqsim.Gate{{Name: "second", After: 1}}
			}
			require.NoError(t, b.simulator.Enqueue(c.script))
			response, _, err := b.service.Start(t.Context(), b.customer, b.ticket.ID, assistant.Request{})
			require.NoError(t, err)
			reader, err := b.service.OpenResponse(t.Context(), b.customer, response.ID, eventlog.EventID{})
			require.NoError(t, err)
			if c.meddle != nil {
				groqtest.Wait(t, b.simulator, func(records []groqsim.RequestRecord) bool {
					return len(records) == 1 && records[0].HeldAt == "second"
				})
				c.meddle(t, b, response)
			}
			readAll(t, reader)
			require.Equal(t, started+c.want, b.journal(t))
		})
	}
}
