package api_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/assistant"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// urgent is a triage that advises a hand-off.
const urgent = `{"priority":"urgent","tags":["Billing","refund"],"language":"en","sentiment":"angry","hand_off":true,"reason":"A refund."}`

// triageNew runs one period of the triage of new tickets.
func triageNew(t *testing.T, s *desk.Desk) {
	t.Helper()
	for _, task := range s.Assistant.Tasks() {
		if task.Name == "triage_new_tickets" {
			require.NoError(t, task.Do(t.Context()))
		}
	}
}

// triageOf waits for the triage of a ticket to end, and returns its id.
func triageOf(t *testing.T, s *desk.Desk, agent *apitest.User, ticketID uuid.UUID) uuid.UUID {
	t.Helper()
	id := uuid.MustParse(storetest.QueryText(t, s.DatabaseURL, "SELECT id::text FROM ai_responses WHERE ticket_id = $1 AND kind = 'triage'", ticketID))
	getComplete(t, agent, id)
	return id
}

func TestNewTicketsAreTriaged(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{Triage: assistant.TriageApply, Budget: assistant.Budget{PerDay: 1}})
	customer, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	ticket := customer.NewTicket(t)
	require.Empty(t, s.Simulator.Requests(), "opening a ticket does not wait for the AI")
	enqueue(t, s, groqsim.Script{Text: urgent})
	triageNew(t, s)
	id := triageOf(t, s, agent, ticket.ID)
	triageNew(t, s)

	sorted := getTicket(t, agent, ticket)
	require.Equal(t, client.TicketPriorityUrgent, sorted.Priority)
	require.Equal(t, client.Tags{"billing", "refund"}, sorted.Tags)
	require.Equal(t, client.AIModeOff, sorted.AIMode)
	require.Equal(t, client.HandoffReasonCannotAnswer, sorted.HandoffReason)
	require.Equal(t, "A refund.", sorted.HandoffNote)
	seen := getTicket(t, customer, ticket)
	require.Empty(t, seen.Priority)
	require.Empty(t, seen.HandoffNote)
	require.Equal(t, "ai_response.started ai -, ai_response.completed ai -, ticket.handed_off ai customer, ticket.updated ai customer, "+
		"ticket.tagged ai -, ticket.updated ai -", storetest.QueryText(t, s.DatabaseURL, `
			SELECT string_agg(concat_ws(' ', type, actor_kind, CASE WHEN customer_id IS NULL THEN '-' ELSE 'customer' END), ', ' ORDER BY id)
			FROM journal_outbox WHERE ticket_id = $1 AND type <> 'ticket.created'`, ticket.ID))

	version := sorted.UpdatedAt
	triageNew(t, s)
	require.Equal(t, version, getTicket(t, agent, ticket).UpdatedAt)
	require.Len(t, s.Simulator.Requests(), 1, "once for each ticket")
	require.Zero(t, countRows(t, s, "due_triages"))
	require.Zero(t, countRows(t, s, "ai_responses WHERE requested_by IS NOT NULL"), "the triage counts against no budget")
	require.Equal(t, http.StatusNotFound, customer.Do(t, http.MethodGet, "/ai-responses/"+id.String(), "").Status)
}

func TestTriageChangesTicketsOnlyWithTheRuleApply(t *testing.T) {
	t.Parallel()
	for rule, asked := range map[assistant.TriageRule]int{assistant.TriageSuggest: 1, assistant.TriageOff: 0} {
		t.Run(string(rule), func(t *testing.T) {
			t.Parallel()
			s := desk.New(t, desk.Options{Triage: rule})
			customer, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
			ticket := customer.NewTicket(t)
			enqueue(t, s, groqsim.Script{Text: urgent})
			triageNew(t, s)
			if asked > 0 {
				got := getComplete(t, agent, triageOf(t, s, agent, ticket.ID))
				require.Equal(t, client.TicketPriorityUrgent, got.Triage.Priority)
			}
			triageNew(t, s)
			require.Len(t, s.Simulator.Requests(), asked)
			after := getTicket(t, agent, ticket)
			require.Equal(t, client.TicketPriorityNormal, after.Priority)
			require.Empty(t, after.Tags)
			require.Equal(t, client.AIModeAuto, after.AIMode)
			require.Zero(t, countRows(t, s, "due_triages"))
		})
	}
}

func TestTriageKeepsDecisionsOfStaff(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{Triage: assistant.TriageApply})
	customer, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	for name, body := range map[string]string{
		"priority": `{"priority":"normal"}`, "tags": `{"tags":["vip"]}`, "mode": `{"ai_mode":"auto"}`, "close": "", "hand-off": "",
	} {
		for _, asked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, asked %t", name, asked), func(t *testing.T) {
				ticket := customer.NewTicket(t)
				before := len(s.Simulator.Requests())
				if asked {
					enqueue(t, s, groqsim.Script{Text: urgent})
					triageNew(t, s)
					triageOf(t, s, agent, ticket.ID)
				}
				switch name {
				case "close":
					agent.SetStatus(t, ticket.ID, client.TicketStatusResolved)
					agent.SetStatus(t, ticket.ID, client.TicketStatusClosed)
				case "hand-off":
					handOff(t, agent, ticket.ID)
				default:
					changed := agent.Do(t, http.MethodPatch, "/tickets/"+ticket.ID.String(), body, jsonType)
					require.Equal(t, http.StatusOK, changed.Status, "%s", changed.Body)
				}
				decided := getTicket(t, agent, ticket)
				triageNew(t, s)
				if name == "close" && !asked {
					triageOf(t, s, agent, ticket.ID)
					triageNew(t, s)
				} else {
					require.Len(t, s.Simulator.Requests(), before+map[bool]int{true: 1}[asked])
				}
				require.Equal(t, decided, getTicket(t, agent, ticket))
				require.Zero(t, countRows(t, s, "due_triages"))
			})
		}
	}
}

func TestReplicasTriageEveryTicketOnce(t *testing.T) {
	t.Parallel()
	one, other := twoReplicas(t, desk.Options{Triage: assistant.TriageApply})
	customer := one.Customer(t)
	const tickets = 10
	enqueue(t, one, groqsim.Script{Text: urgent, Times: tickets})
	for range tickets {
		customer.NewTicket(t)
	}
	require.Eventually(t, func() bool {
		var sorting sync.WaitGroup
		for i := range 4 {
			sorting.Go(func() { triageNew(t, []*desk.Desk{one, other}[i%2]) })
		}
		sorting.Wait()
		return countRows(t, one, "due_triages") == 0
	}, patience, 5*time.Millisecond)
	require.Len(t, one.Simulator.Requests(), tickets)
	require.Equal(t, tickets, countRows(t, one, "tickets WHERE priority = 'urgent'"))
	require.Equal(t, tickets, countRows(t, one, "journal_outbox WHERE type = 'ticket.tagged'"))
}

// A failed triage is not repeated; staff can request another.
func TestFailedTriageChangesNothing(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{Triage: assistant.TriageApply})
	customer, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	ticket := customer.NewTicket(t)
	before := getTicket(t, agent, ticket)
	enqueue(t, s, groqsim.Script{Text: "I would rather not.", Times: 10})
	triageNew(t, s)
	triageOf(t, s, agent, ticket.ID)
	asked := len(s.Simulator.Requests())
	for range 2 {
		triageNew(t, s)
	}
	require.Len(t, s.Simulator.Requests(), asked)
	require.Equal(t, before, getTicket(t, agent, ticket))
	require.Zero(t, countRows(t, s, "due_triages"))
}
