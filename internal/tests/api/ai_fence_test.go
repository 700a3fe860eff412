package api_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/groqtest"
	"github.com/supportbackend/support/internal/testing/storetest"
)

func itoa(n int) string { return strconv.Itoa(n) }

// deltaOf returns the text of a delta, and nothing for other events.
func deltaOf(t *testing.T, event apitest.Event) string {
	t.Helper()
	var data struct {
		Content string `json:"content"`
	}
	require.NoError(t, json.Unmarshal([]byte(event.Data), &data))
	return data.Content
}

func TestHumanCancelsARunningAnswer(t *testing.T) {
	t.Parallel()
	for name, intervene := range map[string]func(t *testing.T, agent *apitest.User, ticket client.Ticket){
		"staff reply": func(t *testing.T, agent *apitest.User, ticket client.Ticket) {
			t.Helper()
			agent.Say(t, ticket.ID, "I have refunded the charge.")
		},
		"ticket is closed": func(t *testing.T, agent *apitest.User, ticket client.Ticket) {
			t.Helper()
			agent.SetStatus(t, ticket.ID, client.TicketStatusPending)
			agent.SetStatus(t, ticket.ID, client.TicketStatusResolved)
			agent.SetStatus(t, ticket.ID, client.TicketStatusClosed)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := desk.New(t, desk.Options{})
			user, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
			ticket := user.NewTicket(t)
			enqueue(t, s, groqsim.Script{Gates: []groqsim.Gate{{Name: "late", After: 5}}})
			stream := user.Stream(t, ticket.ID)
			requireHeld(t, s, "late")
			intervene(t, agent, ticket)
			s.Simulator.Release("late")

			answer := stream.ReadAll()
			require.Nil(t, answer.Done)
			require.Equal(t, client.AIFailureCodeSuperseded, answer.Failed.Code)
			require.False(t, answer.Failed.Retryable)
			require.Zero(t, countAIMessages(t, s, ticket.ID))
			require.Equal(t, "superseded", storetest.QueryText(t, s.DatabaseURL, "SELECT status::text FROM ai_responses"))

			end := answer.Events[len(answer.Events)-1].ID
			require.Equal(t, http.StatusNoContent, user.OpenStream(t, ticket.ID, end).Response.StatusCode,
				"a browser that reconnects by itself is told to stop")
		})
	}
}

func TestNewQuestionReplacesAnAnswerWithoutText(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	ticket := user.NewTicket(t)
	enqueue(t, s, groqsim.Script{Gates: []groqsim.Gate{{Name: "before", After: 0}}})
	waiting := make(chan apitest.Answer, 1)
	go func() {
		defer close(waiting)
		waiting <- user.Stream(t, ticket.ID).ReadAll()
	}()
	requireHeld(t, s, "before")
	question := user.Say(t, ticket.ID, "Forget it: what about November?")

	answer := <-waiting
	require.NotNil(t, answer.Done, "waiting readers get the answer to the new question")
	require.Equal(t, answer.Text, user.Stream(t, ticket.ID).ReadAll().Text)
	groqtest.Wait(t, s.Simulator, func(records []groqsim.RequestRecord) bool {
		return records[0].End == groqsim.EndClientGone
	})
	require.Equal(t, 1, countAIMessages(t, s, ticket.ID))
	require.Equal(t, question.ID.String(), storetest.QueryText(t, s.DatabaseURL,
		"SELECT turn_message_id::text FROM ai_responses WHERE status = 'completed'"))
}

func TestNewQuestionWaitsForAnAnswerWithText(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	ticket := user.NewTicket(t)
	enqueue(t, s, groqsim.Script{Gates: []groqsim.Gate{{Name: "middle", After: 2}}})
	first := user.Stream(t, ticket.ID)
	requireHeld(t, s, "middle")
	user.Say(t, ticket.ID, "And what about November?")
	waiting := make(chan apitest.Answer, 1)
	go func() {
		defer close(waiting)
		waiting <- user.Stream(t, ticket.ID).ReadAll()
	}()

	s.Simulator.Release("middle")
	old, answer := first.ReadAll(), <-waiting
	require.NotNil(t, old.Done)
	require.NotNil(t, answer.Done)
	require.NotEqual(t, old.Done.AIResponseID, answer.Done.AIResponseID)
	require.Equal(t, 2, countAIMessages(t, s, ticket.ID))
	// The prompt includes the answer although it was stored after the question.
	asked := s.Simulator.Requests()[1].Chat.Messages
	require.Equal(t, []string{old.Text, "And what about November?"},
		[]string{string(asked[len(asked)-2].Content), string(asked[len(asked)-1].Content)})
}

func TestAnswerOfAKilledProcessIsTakenOver(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	ticket := user.NewTicket(t)
	// The state that a process leaves when it is killed while it writes.
	storetest.Exec(t, s.DatabaseURL, `
		WITH left_behind AS (
			INSERT INTO ai_responses (id, ticket_id, customer_id, model, owner_id, last_seq, lease_expires_at)
			VALUES (gen_random_uuid(), $1, (SELECT user_id FROM tickets WHERE id = $1), 'm', gen_random_uuid(), 1, now() - interval '1 second')
			RETURNING id
		)
		INSERT INTO ai_response_events (ai_response_id, seq, kind, attempt, content)
		SELECT id, 1, 'delta', 1, 'Half an ans' FROM left_behind`, ticket.ID)
	answer := user.Stream(t, ticket.ID).ReadAll()
	require.Equal(t, "reset", answer.Events[2].Name)
	require.Equal(t, answer.Text, answer.Done.Message.Content)
	require.NotContains(t, answer.Text, "Half an ans")
	require.Equal(t, 2, storetest.QueryInt(t, s.DatabaseURL, "SELECT attempt FROM ai_responses"))
}

func TestAnswerFailsAfterTooManyCrashes(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	ticket := user.NewTicket(t)
	storetest.Exec(t, s.DatabaseURL, `WITH response AS (
			INSERT INTO ai_responses (id, ticket_id, customer_id, model, owner_id, attempt, crashes, lease_expires_at, last_seq)
			SELECT gen_random_uuid(), id, user_id, 'm', gen_random_uuid(), 3, 3, now() - interval '1 second', 1
			FROM tickets WHERE id = $1
			RETURNING id
		)
		INSERT INTO ai_response_events (ai_response_id, seq, kind, attempt, content)
		SELECT id, 1, 'delta', 3, 'I ' FROM response`, ticket.ID)
	failed := user.Stream(t, ticket.ID).ReadAll().Failed
	require.NotNil(t, failed)
	require.Equal(t, client.AIFailureCodeAITimeout, failed.Code)
	storetest.Exec(t, s.DatabaseURL, "UPDATE ai_responses SET finished_at = finished_at - interval '1 minute'")
	require.NotNil(t, user.Stream(t, ticket.ID).ReadAll().Done, "it can be asked again")
}

func TestReplyRacingTheCommitIsNeverPublishedWithTheAnswer(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	for range 50 {
		ticket := user.NewTicket(t)
		stream := user.Stream(t, ticket.ID)
		reply := agent.Say(t, ticket.ID, "I am here.")
		answer := stream.ReadAll()
		messages := user.Messages(t, ticket.ID)
		if answer.Done != nil {
			require.Len(t, messages, 2)
			require.Equal(t, answer.Done.Message.ID, messages[0].ID, "the answer comes before the reply or not at all")
			continue
		}
		require.Len(t, messages, 1)
		require.Equal(t, reply.ID, messages[0].ID)
	}
}
