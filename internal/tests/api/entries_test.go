package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// lastEntries returns the types of a ticket's newest journal entries, oldest first.
func lastEntries(t *testing.T, s *desk.Desk, ticketID uuid.UUID, count int) string {
	t.Helper()
	return storetest.QueryText(t, s.DatabaseURL, `SELECT string_agg(type, ' ' ORDER BY id) FROM (
		SELECT id, type FROM journal_outbox WHERE ticket_id = $1 ORDER BY id DESC LIMIT $2
	) AS o`, ticketID, count)
}

func TestChatMessageReopensAndWakesItsTicket(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	user, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	for name, format := range chatFormats {
		ticket := user.NewTicket(t)
		update(t, agent, ticket.ID, client.UpdateTicketRequest{
			Status: client.TicketStatusPending, SnoozedUntil: nullable.NewNullableWithValue(time.Now().Add(time.Hour)),
		})
		format.say(t, user, s, ticket.ID, "msg-"+ticket.ID.String(), "Why twice?")
		require.Equal(t, "message.created ticket.status_changed ticket.snoozed", lastEntries(t, s, ticket.ID, 3), name)
	}
}

func TestBulkChangeJournalsItsChanges(t *testing.T) {
	t.Parallel()
	d := newDraftDesk(t)
	d.draft(t)
	got, err := d.agent.UpdateTicketsWithResponse(t.Context(), nil, client.UpdateTicketsRequest{
		TicketIDs: []uuid.UUID{d.ticket.ID}, Priority: client.TicketPriorityHigh, AIMode: client.AIModeOff,
	})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, got.StatusCode(), "%s", got.Body)
	require.Equal(t, "ai_response.superseded ticket.updated ticket.updated", lastEntries(t, d.Desk, d.ticket.ID, 3))
}

func TestMacroThatResolvesATicketWakesIt(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	user, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	ticket := user.NewTicket(t)
	update(t, agent, ticket.ID, client.UpdateTicketRequest{SnoozedUntil: nullable.NewNullableWithValue(time.Now().Add(time.Hour))})
	macro := newMacro(t, agent, client.MacroSettings{Name: "Done", Content: "It is done.", Status: client.TicketStatusResolved})
	applyMacro(t, agent, ticket.ID, macro.ID)
	require.Contains(t, lastEntries(t, s, ticket.ID, 3), "ticket.snoozed")
}

func TestEndOfADraftIsJournaled(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(*testing.T, *draftDesk, uuid.UUID)
		want []string
	}{
		"its turn is redacted": {
			do: func(t *testing.T, d *draftDesk, _ uuid.UUID) {
				t.Helper()
				redact(t, d.agent, d.owner.Messages(t, d.ticket.ID)[0].ID)
			},
			want: []string{"message.redacted", "ai_response.discarded"},
		},
		"its ticket is redacted while another one is written": {
			do: func(t *testing.T, d *draftDesk, _ uuid.UUID) {
				t.Helper()
				require.NoError(t, d.Simulator.Enqueue(groqsim.Script{Gates: []groqsim.Gate{{Name: "never", After: 1}}}))
				d.agent.Regenerate(t, d.ticket.ID)
				redacted, err := d.agent.RedactTicketWithResponse(t.Context(), d.ticket.ID, nil)
				require.NoError(t, err)
				require.Equal(t, http.StatusOK, redacted.StatusCode(), "%s", redacted.Body)
			},
			want: []string{"ticket.redacted", "ai_response.superseded", "ai_response.discarded"},
		},
		"its ticket is merged": {
			do: func(t *testing.T, d *draftDesk, _ uuid.UUID) {
				t.Helper()
				require.Equal(t, http.StatusOK, merge(t, d.agent, d.ticket.ID, d.owner.NewTicket(t).ID).StatusCode())
			},
			want: []string{"ai_response.superseded", "ticket.merged"},
		},
		"it is published while another one is written": {
			do: func(t *testing.T, d *draftDesk, draft uuid.UUID) {
				t.Helper()
				require.NoError(t, d.Simulator.Enqueue(groqsim.Script{Gates: []groqsim.Gate{{Name: "never", After: 1}}}))
				d.agent.Regenerate(t, d.ticket.ID)
				require.Equal(t, http.StatusCreated, d.publish(t, draft, "").StatusCode())
			},
			want: []string{"ai_response.superseded", "message.created", "ai_response.published"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDraftDesk(t)
			d.owner.Say(t, d.ticket.ID, "And more.")
			draft := d.draft(t)
			c.do(t, d, draft)
			entered := strings.Fields(lastEntries(t, d.Desk, d.ticket.ID, 8))
			require.Subset(t, entered, c.want)
		})
	}
}
