package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
)

// twoReplicas returns two servers that share a database and an upstream.
func twoReplicas(t *testing.T, o desk.Options) (one, other *desk.Desk) {
	t.Helper()
	one = desk.New(t, o)
	o.DatabaseURL, o.Simulator = one.DatabaseURL, one.Simulator
	return one, desk.New(t, o)
}

// requireJoined checks that the request returned an existing response.
func requireJoined(t *testing.T, asked *plain.CreateAIResponseResponse, id uuid.UUID) {
	t.Helper()
	require.Equal(t, http.StatusOK, asked.StatusCode(), "%s", asked.Body)
	require.Equal(t, id, asked.JSON200.ID)
	require.Empty(t, asked.HTTPResponse.Header.Get("Location"), "nothing was created")
}

// requireNotBegun checks that the request was refused.
func requireNotBegun(
	t *testing.T, asked *plain.CreateAIResponseResponse, status int, code client.ProblemCode,
) plain.Problem {
	t.Helper()
	return apitest.RequireProblem(t, asked.StatusCode(), asked.Body, status, code)
}

func setAIMode(t *testing.T, u *apitest.User, ticketID uuid.UUID, mode client.AIMode) {
	t.Helper()
	updated, err := u.UpdateTicketWithResponse(t.Context(), ticketID, nil, client.UpdateTicketRequest{AIMode: mode})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, updated.StatusCode(), "%s", updated.Body)
	require.Equal(t, mode, updated.JSON200.AIMode)
}

func TestAnswerIsStartedOnceThenJoinedThenReplayed(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	ticket := user.NewTicket(t)
	enqueue(t, s, groqsim.Script{Text: "It was a mistake.", Gates: []groqsim.Gate{{Name: "start", After: -1}}})

	begun := user.Begin(t, ticket.ID)
	require.Equal(t, client.AIResponseStatusStreaming, begun.Status)
	require.Equal(t, ticket.ID, begun.TicketID)
	require.Nil(t, begun.Turn, "the description is the turn")
	require.Empty(t, begun.FinishedAt)
	requireJoined(t, user.Ask(t, ticket.ID, client.CreateAIResponseRequest{}), begun.ID)
	requireHeld(t, s, "start")
	s.Simulator.Release("start")

	answer := user.ReadAIResponse(t, begun.ID)
	require.Equal(t, begun.ID, answer.Done.AIResponseID)
	require.Equal(t, "It was a mistake.", answer.Text)
	requireJoined(t, user.Ask(t, ticket.ID, client.CreateAIResponseRequest{}), begun.ID)
	ended := user.AIResponse(t, begun.ID)
	require.Equal(t, client.AIResponseStatusCompleted, ended.Status)
	require.Equal(t, answer.Done.Message.ID, *ended.MessageID)
	require.Equal(t, client.FinishReasonStop, ended.FinishReason)
	require.Equal(t, answer.Done.Usage, ended.Usage)
	require.Positive(t, ended.Usage.PromptTokens)
	require.Nil(t, ended.Error)
	require.LessOrEqual(t, ended.CreatedAt, ended.FirstTokenAt)
	require.LessOrEqual(t, ended.FirstTokenAt, ended.FinishedAt)
	require.Len(t, s.Simulator.Requests(), 1)
	require.Equal(t, 1, countAIMessages(t, s, ticket.ID))
}

func TestRequestDuringAnEarlierTurnJoinsItsAnswer(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	ticket := user.NewTicket(t)
	enqueue(t, s, groqsim.Script{Gates: []groqsim.Gate{{Name: "middle", After: 2}}})
	earlier := user.Begin(t, ticket.ID)
	require.NotEmpty(t, user.Poll(t, earlier.ID, 0, 20).Events, "the answer has text, so the next message does not replace it")
	question := user.Say(t, ticket.ID, "And what about November?")
	requireJoined(t, user.Ask(t, ticket.ID, client.CreateAIResponseRequest{}), earlier.ID)
	requireJoined(t, user.Ask(t, ticket.ID, client.CreateAIResponseRequest{Regenerate: true}), earlier.ID)

	s.Simulator.Release("middle")
	require.NotNil(t, user.ReadAIResponse(t, earlier.ID).Done)
	later := user.Begin(t, ticket.ID)
	require.NotEqual(t, earlier.ID, later.ID)
	require.Equal(t, question.ID, *later.Turn)
	require.NotNil(t, user.ReadAIResponse(t, later.ID).Done)
	require.Equal(t, 2, countAIMessages(t, s, ticket.ID))
}

func TestRegeneratedAnswerReplacesTheOldOne(t *testing.T) {
	t.Parallel()
	s, elsewhere := twoReplicas(t, desk.Options{})
	user := s.Customer(t)
	ticket := user.NewTicket(t)
	user.Say(t, ticket.ID, "Which charge is wrong?")
	enqueue(t, s, groqsim.Script{Text: "OLD ANSWER"}, groqsim.Script{Text: "NEW ANSWER"})
	old := user.Begin(t, ticket.ID)
	oldMessage := user.ReadAIResponse(t, old.ID).Done.Message

	again := user.Regenerate(t, ticket.ID)
	require.NotEqual(t, old.ID, again.ID)
	require.Equal(t, old.Turn, again.Turn)
	newMessage := user.ReadAIResponse(t, again.ID).Done.Message

	messages := user.Messages(t, ticket.ID)
	require.Len(t, messages, 3)
	require.Equal(t, oldMessage.ID, messages[1].ID, "the old message keeps its position")
	require.Equal(t, "OLD ANSWER", messages[1].Content)
	require.Equal(t, newMessage.ID, *messages[1].SupersededBy)
	require.Equal(t, newMessage.ID, messages[2].ID)
	require.Nil(t, messages[2].SupersededBy)

	require.Equal(t, client.AIResponseStatusSuperseded, user.AIResponse(t, old.ID).Status)
	require.Equal(t, oldMessage.ID, *user.AIResponse(t, old.ID).MessageID)
	readers := []*apitest.User{user, elsewhere.LogIn(t, user.Email, apitest.Password)}
	for _, reader := range readers {
		answer := reader.ReadAIResponse(t, old.ID)
		require.Equal(t, "OLD ANSWER", answer.Text)
		require.Equal(t, oldMessage.ID, answer.Done.Message.ID)
		require.Equal(t, "NEW ANSWER", reader.Stream(t, ticket.ID).ReadAll().Text, "the stream replays the current answer")
	}
	requireJoined(t, user.Ask(t, ticket.ID, client.CreateAIResponseRequest{}), again.ID)

	user.Say(t, ticket.ID, "And November?")
	require.NotNil(t, user.Stream(t, ticket.ID).ReadAll().Done)
	requests := s.Simulator.Requests()
	require.Len(t, requests, 3)
	require.NotContains(t, string(requests[1].Body), "OLD ANSWER", "the prompt leaves out the answer that is being replaced")
	require.NotContains(t, string(requests[2].Body), "OLD ANSWER", "the prompt leaves out replaced answers")
	require.Contains(t, string(requests[2].Body), "NEW ANSWER")
}

func TestFailedRegenerationKeepsTheAnswer(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]groqsim.Script{
		"before the first word": {Status: 400},
		"in the middle":         {CutAfter: after(3)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := desk.New(t, desk.Options{Limits: noRetries()})
			user := s.Customer(t)
			ticket := user.NewTicket(t)
			stands := user.Begin(t, ticket.ID)
			text := user.ReadAIResponse(t, stands.ID).Text
			enqueue(t, s, script)
			failing := user.Regenerate(t, ticket.ID)
			require.NotNil(t, user.ReadAIResponse(t, failing.ID).Failed)

			require.Equal(t, client.AIResponseStatusFailed, user.AIResponse(t, failing.ID).Status)
			require.Equal(t, client.AIResponseStatusCompleted, user.AIResponse(t, stands.ID).Status)
			messages := user.Messages(t, ticket.ID)
			require.Len(t, messages, 1)
			require.Nil(t, messages[0].SupersededBy)
			require.Equal(t, text, user.Stream(t, ticket.ID).ReadAll().Text)
			require.Len(t, s.Simulator.Requests(), 2, "it is replayed, not written")

			require.NotNil(t, user.ReadAIResponse(t, user.Regenerate(t, ticket.ID).ID).Done, "it can be tried again")
			require.Equal(t, client.AIResponseStatusSuperseded, user.AIResponse(t, stands.ID).Status)
		})
	}
}

func TestParallelRegenerationsShareOneAnswer(t *testing.T) {
	t.Parallel()
	one, other := twoReplicas(t, desk.Options{})
	user := one.Customer(t)
	ticket := user.NewTicket(t)
	stands := user.Begin(t, ticket.ID)
	require.NotNil(t, user.ReadAIResponse(t, stands.ID).Done)
	enqueue(t, one, groqsim.Script{Gates: []groqsim.Gate{{Name: "again", After: 2}}})
	askers := []*apitest.User{user, other.LogIn(t, user.Email, apitest.Password)}
	asked := make([]*plain.CreateAIResponseResponse, 10)
	var wg sync.WaitGroup
	for i := range asked {
		wg.Go(func() {
			asked[i] = askers[i%2].Ask(t, ticket.ID, client.CreateAIResponseRequest{Regenerate: true})
		})
	}
	wg.Wait()
	var begun []client.AIResponse
	for _, a := range asked {
		if a.JSON201 != nil {
			begun = append(begun, *a.JSON201)
		}
	}
	require.Len(t, begun, 1)
	for _, a := range asked {
		if a.JSON201 == nil {
			requireJoined(t, a, begun[0].ID)
		}
	}
	// Meanwhile, a reader of the turn gets the answer that is being written.
	stream := user.Stream(t, ticket.ID)
	one.Simulator.Release("again")
	answer := stream.ReadAll()
	require.Equal(t, begun[0].ID, answer.Done.AIResponseID)
	require.Len(t, one.Simulator.Requests(), 2)
	require.Equal(t, 2, countAIMessages(t, one, ticket.ID))
}

func TestUsageOfAFailedAnswerIsRecorded(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{Limits: noRetries()})
	user := s.Customer(t)
	enqueue(t, s, groqsim.Script{EOFAfter: after(4)})
	begun := user.Begin(t, user.NewTicket(t).ID)
	require.Equal(t, client.AIFailureCodeAIProtocol, user.ReadAIResponse(t, begun.ID).Failed.Code)
	failed := user.AIResponse(t, begun.ID)
	require.Equal(t, client.AIResponseStatusFailed, failed.Status)
	require.Equal(t, client.AIFailureCodeAIProtocol, failed.Error.Code)
	require.True(t, failed.Error.Retryable)
	require.Equal(t, int32(4), failed.Usage.CompletionTokens, "received tokens count, although upstream reported no usage")
	require.False(t, failed.FirstTokenAt.IsZero())
}

func TestTurnAnsweredByStaffIsNotRegenerated(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	ticket := user.NewTicket(t)
	stands := user.Stream(t, ticket.ID).ReadAll().Done
	agent.Say(t, ticket.ID, "I have refunded the charge.")
	for _, u := range []*apitest.User{user, agent} {
		requireNotBegun(t, u.Ask(t, ticket.ID, client.CreateAIResponseRequest{Regenerate: true}), http.StatusConflict,
			client.ProblemCodeNothingToAnswer)
		requireJoined(t, u.Ask(t, ticket.ID, client.CreateAIResponseRequest{}), stands.AIResponseID)
	}
	require.Len(t, s.Simulator.Requests(), 1)
}

func TestUnknownModelIsRefused(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{Models: []string{"primary", "secondary"}})
	user := s.Customer(t)
	ticket := user.NewTicket(t)
	refused := requireNotBegun(t, user.Ask(t, ticket.ID, client.CreateAIResponseRequest{Model: "tertiary"}),
		http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed)
	offered := []string{"primary", "secondary"}
	require.Equal(t, []client.FieldError{{Pointer: "/model", Code: client.FieldErrorCodeNotAllowed, Allowed: offered}}, refused.Errors)
	require.Empty(t, s.Simulator.Requests())

	asked := user.Ask(t, ticket.ID, client.CreateAIResponseRequest{Model: "secondary"})
	require.Equal(t, http.StatusCreated, asked.StatusCode(), "%s", asked.Body)
	require.Equal(t, "secondary", asked.JSON201.Model)
	require.NotNil(t, user.ReadAIResponse(t, asked.JSON201.ID).Done)
	require.Equal(t, "secondary", s.Simulator.Requests()[0].Chat.Model)
}

func TestTicketWithAIOffIsNotAnswered(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	ticket := user.NewTicket(t)
	setAIMode(t, user, ticket.ID, client.AIModeOff)
	requireNotBegun(t, user.Ask(t, ticket.ID, client.CreateAIResponseRequest{}), http.StatusConflict, client.ProblemCodeAIDisabled)
	user.OpenStream(t, ticket.ID, "").RequireProblem(http.StatusConflict, client.ProblemCodeAIDisabled)
	require.Empty(t, s.Simulator.Requests())
	setAIMode(t, agent, ticket.ID, client.AIModeAuto)
	require.NotNil(t, user.Stream(t, ticket.ID).ReadAll().Done)

	setAIMode(t, agent, ticket.ID, client.AIModeOff)
	require.NotNil(t, user.Stream(t, ticket.ID).ReadAll().Done, "an existing answer is replayed")
	requireNotBegun(t, user.Ask(t, ticket.ID, client.CreateAIResponseRequest{Regenerate: true}), http.StatusConflict,
		client.ProblemCodeAIDisabled)
}

func TestHandOffCancelsARunningAnswer(t *testing.T) {
	t.Parallel()
	one, other := twoReplicas(t, desk.Options{})
	user := one.Customer(t)
	there := other.LogIn(t, user.Email, apitest.Password)
	ticket := user.NewTicket(t)
	enqueue(t, one, groqsim.Script{Gates: []groqsim.Gate{{Name: "late", After: 5}}})
	begun := user.Begin(t, ticket.ID)
	requireHeld(t, one, "late")
	setAIMode(t, there, ticket.ID, client.AIModeOff)
	one.Simulator.Release("late")

	for _, reader := range []*apitest.User{user, there} {
		answer := reader.ReadAIResponse(t, begun.ID)
		require.Equal(t, client.AIFailureCodeSuperseded, answer.Failed.Code)
	}
	require.Equal(t, client.AIResponseStatusSuperseded, user.AIResponse(t, begun.ID).Status)
	require.Zero(t, countAIMessages(t, one, ticket.ID))
	requireNotBegun(t, user.Ask(t, ticket.ID, client.CreateAIResponseRequest{}), http.StatusConflict, client.ProblemCodeAIDisabled)

	setAIMode(t, user, ticket.ID, client.AIModeAuto)
	require.NotNil(t, user.ReadAIResponse(t, user.Begin(t, ticket.ID).ID).Done)
	require.Equal(t, 1, countAIMessages(t, one, ticket.ID))
}

func TestResponsesOfATicketAreListedInPages(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{Limits: noRetries()})
	user := s.Customer(t)
	ticket := user.NewTicket(t)
	path := "/tickets/" + ticket.ID.String() + "/ai-responses"
	require.JSONEq(t, "[]", string(user.Do(t, http.MethodGet, path, "").Body))
	enqueue(t, s, groqsim.Script{Status: 400}, groqsim.Script{}, groqsim.Script{}, groqsim.Script{}, groqsim.Script{})
	var want []uuid.UUID
	for i := range 5 {
		asked := user.Ask(t, ticket.ID, client.CreateAIResponseRequest{Regenerate: i > 1})
		require.Equal(t, http.StatusCreated, asked.StatusCode(), "%s", asked.Body)
		want = append([]uuid.UUID{asked.JSON201.ID}, want...)
		user.ReadAIResponse(t, asked.JSON201.ID)
	}
	var got []uuid.UUID
	var sizes []int
	var statuses []string
	pages(t, user, path+"?limit=2", func(body []byte) {
		var responses []client.AIResponse
		require.NoError(t, json.Unmarshal(body, &responses))
		sizes = append(sizes, len(responses))
		for _, r := range responses {
			got, statuses = append(got, r.ID), append(statuses, string(r.Status))
		}
	})
	require.Equal(t, want, got, "newest first, none twice, none left out")
	require.Equal(t, []int{2, 2, 1}, sizes)
	require.Equal(t, "completed superseded superseded superseded failed", strings.Join(statuses, " "))
}
