package api_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/groqtest"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// enqueue sets the scripts of the simulator's next responses.
func enqueue(t *testing.T, s *desk.Desk, scripts ...groqsim.Script) {
	t.Helper()
	require.NoError(t, s.Simulator.Enqueue(scripts...))
}

// requireHeld waits until a request is held at the simulator's gate.
func requireHeld(t *testing.T, s *desk.Desk, gate string) {
	t.Helper()
	groqtest.Wait(t, s.Simulator, func(records []groqsim.RequestRecord) bool {
		return len(records) > 0 && records[len(records)-1].HeldAt == gate
	})
}

func countAIMessages(t *testing.T, s *desk.Desk, ticketID uuid.UUID) int {
	t.Helper()
	return storetest.QueryInt(t, s.DatabaseURL,
		"SELECT count(*) FROM messages WHERE ticket_id = $1 AND author = 'ai'", ticketID)
}

func TestAnswerIsStreamedAndStoredOnce(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	ticket := user.NewTicket(t)
	const text = "Grüße 👋 – please wait.\n\nevent: done\ndata: {}\r\n\u2028<script>"
	enqueue(t, s, groqsim.Script{Text: text})

	stream := user.Stream(t, ticket.ID)
	require.Equal(t, "no-store, no-transform", stream.Response.Header.Get("Cache-Control"))
	require.Equal(t, "no", stream.Response.Header.Get("X-Accel-Buffering"))
	require.Empty(t, stream.Response.Header.Get("Content-Encoding"))
	answer := stream.ReadAll()

	require.Equal(t, "start", answer.Events[0].Name)
	require.Equal(t, text, answer.Text)
	require.Equal(t, text, answer.Done.Message.Content)
	require.True(t, answer.Done.Message.IsAI)
	require.Equal(t, client.FinishReasonStop, answer.Done.FinishReason)
	require.Positive(t, answer.Done.Usage.PromptTokens)
	messages := user.Messages(t, ticket.ID)
	require.Len(t, messages, 1)
	require.Equal(t, answer.Done.Message.ID, messages[0].ID)
	require.Equal(t, text, messages[0].Content)
}

func TestEventIDsAreDense(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	answer := user.Stream(t, user.NewTicket(t).ID).ReadAll()
	for i, event := range answer.Events[1:] {
		require.Equal(t, answer.Done.AIResponseID.String()+":"+itoa(i+1), event.ID)
	}
}

func TestAnsweredTurnIsReplayed(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	ticket := user.NewTicket(t)
	first := user.Stream(t, ticket.ID).ReadAll()
	second := user.Stream(t, ticket.ID).ReadAll()
	require.Equal(t, first.Text, second.Text)
	require.Equal(t, first.Done, second.Done)
	require.Len(t, s.Simulator.Requests(), 1)
	require.Equal(t, 1, countAIMessages(t, s, ticket.ID))

	user.Say(t, ticket.ID, "And what about November?")
	third := user.Stream(t, ticket.ID).ReadAll()
	require.NotEqual(t, first.Done.Message.ID, third.Done.Message.ID, "a new message is a new turn")
	require.Len(t, s.Simulator.Requests(), 2)
}

func TestParallelReadersShareOneAnswer(t *testing.T) {
	t.Parallel()
	url, _ := storetest.Lend(t)
	simulator := groqsim.New(groqsim.Options{})
	var servers []*desk.Desk
	for range 3 {
		servers = append(servers, desk.New(t, desk.Options{DatabaseURL: url, Simulator: simulator}))
	}
	user := servers[0].Customer(t)
	ticket := user.NewTicket(t)
	readers := make([]*apitest.User, len(servers))
	for i, s := range servers {
		readers[i] = s.LogIn(t, user.Email, apitest.Password)
	}
	texts := make([]string, 30)
	var wg sync.WaitGroup
	for i := range texts {
		wg.Go(func() { texts[i] = readers[i%len(readers)].Stream(t, ticket.ID).ReadAll().Text })
	}
	wg.Wait()
	for _, text := range texts {
		require.Equal(t, texts[0], text)
	}
	require.Len(t, simulator.Requests(), 1)
	require.Equal(t, 1, countAIMessages(t, servers[0], ticket.ID))
}

func TestAnswerContinuesWithoutReaders(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	ticket := user.NewTicket(t)
	enqueue(t, s, groqsim.Script{Gates: []groqsim.Gate{{Name: "middle", After: 3}}})
	stream := user.Stream(t, ticket.ID)
	_, more := stream.Next()
	require.True(t, more)
	requireHeld(t, s, "middle")
	stream.Close()
	s.Simulator.Release("middle")
	groqtest.Wait(t, s.Simulator, func(records []groqsim.RequestRecord) bool {
		return records[0].End == groqsim.EndCompleted
	})
	again := user.Stream(t, ticket.ID).ReadAll()
	require.NotNil(t, again.Done)
	require.Len(t, s.Simulator.Requests(), 1)
	require.Equal(t, 1, countAIMessages(t, s, ticket.ID))
}

func TestReaderResumesAfterTheEventItHas(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	ticket := user.NewTicket(t)
	enqueue(t, s, groqsim.Script{
		Deltas: []string{"one ", "two ", "three ", "four ", "five ", "six"},
		Gates:  []groqsim.Gate{{Name: "middle", After: 4}},
	})
	stream := user.Stream(t, ticket.ID)
	var text, last string
	for text != "one two three four " {
		event, more := stream.Next()
		require.True(t, more)
		text, last = text+deltaOf(t, event), event.ID
	}
	stream.Close()

	resumed := user.OpenStream(t, ticket.ID, last)
	resumed.RequireOK()
	s.Simulator.Release("middle")
	rest := resumed.ReadAll()
	require.Equal(t, "one two three four five six", text+rest.Text, "no event is missing or repeated")

	// The log stays after the answer has ended.
	replayed := user.OpenStream(t, ticket.ID, last)
	replayed.RequireOK()
	require.Equal(t, "one two three four five six", text+replayed.ReadAll().Text)

	// After the log is deleted, a reader with a part of the answer is told to start over.
	storetest.Exec(t, s.DatabaseURL, "DELETE FROM ai_response_events")
	late := user.OpenStream(t, ticket.ID, last)
	late.RequireOK()
	answer := late.ReadAll()
	require.Equal(t, "reset", answer.Events[1].Name)
	require.Equal(t, "one two three four five six", answer.Text)
}

func TestReaderWithTheEndGetsNoContent(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	ticket := user.NewTicket(t)
	answer := user.Stream(t, ticket.ID).ReadAll()
	end := answer.Events[len(answer.Events)-1].ID
	require.Equal(t, http.StatusNoContent, user.OpenStream(t, ticket.ID, end).Response.StatusCode)

	// IDs of other customers are ignored.
	other := s.Customer(t)
	stream := other.OpenStream(t, other.NewTicket(t).ID, end)
	stream.RequireOK()
	require.NotNil(t, stream.ReadAll().Done)
}

func TestInvalidEventIDGivesTheWholeAnswer(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	ticket := user.NewTicket(t)
	want := user.Stream(t, ticket.ID).ReadAll()
	for _, last := range []string{
		"garbage", ":", "1", uuid.NewString() + ":3", want.Done.AIResponseID.String(),
		want.Done.AIResponseID.String() + ":-1", want.Done.AIResponseID.String() + ":99999999999999999999",
		strings.ToUpper(want.Done.AIResponseID.String()) + ":1", want.Done.AIResponseID.String() + ":9999",
	} {
		stream := user.OpenStream(t, ticket.ID, last)
		stream.RequireOK()
		require.Equal(t, want.Text, stream.ReadAll().Text, last)
	}
	require.Len(t, s.Simulator.Requests(), 1)
}

func TestNothingToAnswer(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	ticket := user.NewTicket(t)
	agent.Say(t, ticket.ID, "I am looking into it.")
	user.OpenStream(t, ticket.ID, "").RequireProblem(http.StatusConflict, client.ProblemCodeNothingToAnswer)

	user.Say(t, ticket.ID, "Thank you. One more thing …")
	require.NotNil(t, agent.Stream(t, ticket.ID).ReadAll().Done, "staff may ask for it too")
	agent.Say(t, ticket.ID, "I take over.")
	require.NotNil(t, user.Stream(t, ticket.ID).ReadAll().Done, "an answered turn is replayed")
}

func TestClosedTicketIsNotAnswered(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	ticket := user.NewTicket(t)
	for _, status := range []client.TicketStatus{
		client.TicketStatusPending, client.TicketStatusResolved, client.TicketStatusClosed,
	} {
		user.SetStatus(t, ticket.ID, status)
	}
	user.OpenStream(t, ticket.ID, "").RequireProblem(http.StatusConflict, client.ProblemCodeTicketClosed)
	require.Empty(t, s.Simulator.Requests())
}

func TestServerWithoutAI(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	user := s.Customer(t)
	user.OpenStream(t, user.NewTicket(t).ID, "").RequireProblem(http.StatusConflict, client.ProblemCodeAIDisabled)
}
