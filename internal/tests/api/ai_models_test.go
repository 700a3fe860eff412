package api_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/app"
	"github.com/supportbackend/support/internal/config"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/groq"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/groqtest"
)

var twoModels = []string{"primary", "secondary"}

// noRetries asks no model again after one failure.
func noRetries() *groq.Limits {
	limits := app.UpstreamLimits(config.Defaults())
	limits.Retries = 0
	return &limits
}

// askedModels returns the models of the upstream requests, in order.
func askedModels(s *desk.Desk) string {
	var models []string
	for _, record := range s.Simulator.Requests() {
		models = append(models, record.Chat.Model)
	}
	return strings.Join(models, " ")
}

func promptBytes(r groqsim.RequestRecord) (n int) {
	for _, m := range r.Chat.Messages {
		n += len(m.Content)
	}
	return n
}

func TestFallbackToAnotherModel(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]groqsim.Script{
		"rate limit":       {Status: 429, RetryAfter: "64"},
		"no capacity":      {Status: 498},
		"internal error":   {Status: 500},
		"over capacity":    {Status: 503},
		"connection reset": {Reset: true},
		"no such model":    {Status: 404},
		"decommissioned":   {Status: 400, ErrorCode: "model_decommissioned"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := desk.New(t, desk.Options{Models: twoModels, Limits: noRetries()})
			user := s.Customer(t)
			ticket := user.NewTicket(t)
			enqueue(t, s, script)
			answer := user.Stream(t, ticket.ID).ReadAll()
			require.NotNil(t, answer.Done)
			var start plain.StartEvent
			require.NoError(t, json.Unmarshal([]byte(answer.Events[0].Data), &start))
			require.Equal(t, "secondary", start.Model, "the response names the model that writes")
			require.Equal(t, "secondary", user.AIResponse(t, start.AIResponseID).Model)
			require.Equal(t, int32(1), start.Attempt)
			require.Equal(t, "primary secondary", askedModels(s))
			require.Equal(t, 1, countAIMessages(t, s, ticket.ID))
		})
	}
}

func TestRequestedModelIsTriedFirst(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{Models: []string{"a", "b", "c"}, Limits: noRetries()})
	user := s.Customer(t)
	enqueue(t, s, groqsim.Script{Status: 503, Times: 2})
	asked := user.Ask(t, user.NewTicket(t).ID, client.CreateAIResponseRequest{Model: "b"})
	require.Equal(t, http.StatusCreated, asked.StatusCode(), "%s", asked.Body)
	require.NotNil(t, user.ReadAIResponse(t, asked.JSON201.ID).Done)
	require.Equal(t, "b a c", askedModels(s))
	require.Equal(t, "c", user.AIResponse(t, asked.JSON201.ID).Model)
}

func TestNoFallbackForFailuresOfOtherKinds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script groqsim.Script
		code   client.AIFailureCode
	}{
		"key is refused":       {groqsim.Script{Status: 401}, client.AIFailureCodeAIMisconfigured},
		"network is refused":   {groqsim.Script{Status: 403}, client.AIFailureCodeAIMisconfigured},
		"conversation":         {groqsim.Script{Status: 400}, client.AIFailureCodeConversationNotAccepted},
		"a web page":           {groqsim.Script{HTML: true}, client.AIFailureCodeAIProtocol},
		"cut after a word":     {groqsim.Script{CutAfter: after(1)}, client.AIFailureCodeAIProtocol},
		"end after some words": {groqsim.Script{EOFAfter: after(4)}, client.AIFailureCodeAIProtocol},
		"overload in the middle": {
			groqsim.Script{ErrorAfter: after(4), ErrorForm: groqsim.ErrorFormData, ErrorCode: "rate_limit_exceeded"}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := desk.New(t, desk.Options{Models: twoModels, Limits: noRetries()})
			user := s.Customer(t)
			ticket := user.NewTicket(t)
			enqueue(t, s, c.script)
			begun := user.Begin(t, ticket.ID)
			failed := user.ReadAIResponse(t, begun.ID).Failed
			require.NotNil(t, failed)
			if c.code != "" {
				require.Equal(t, c.code, failed.Code)
			}
			require.Equal(t, "primary", askedModels(s))
			require.Equal(t, "primary", user.AIResponse(t, begun.ID).Model)
			require.Zero(t, countAIMessages(t, s, ticket.ID))
		})
	}
}

func TestFailureOfAllModelsReportsTheRetryableOne(t *testing.T) {
	t.Parallel()
	for name, scripts := range map[string][]groqsim.Script{
		"both overloaded":         {{Status: 503}, {Status: 429, RetryAfter: "64"}},
		"the second unknown":      {{Status: 503}, {Status: 404}},
		"the first unknown":       {{Status: 404}, {Status: 503}},
		"the second does not get": {{Status: 429, RetryAfter: "64"}, {Reset: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := desk.New(t, desk.Options{Models: twoModels, Limits: noRetries()})
			user := s.Customer(t)
			enqueue(t, s, scripts...)
			stream := user.OpenStream(t, user.NewTicket(t).ID, "")
			problem := stream.RequireProblem(http.StatusServiceUnavailable, client.ProblemCodeAIOverloaded)
			require.True(t, problem.Retryable)
			require.NotEmpty(t, stream.Response.Header.Get("Retry-After"))
			require.Equal(t, "primary secondary", askedModels(s))
		})
	}
}

func TestTooLongConversationIsShortened(t *testing.T) {
	t.Parallel()
	for name, times := range map[string]int{"half fits": 1, "a quarter fits": 2, "nothing fits": 100} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := desk.New(t, desk.Options{Models: twoModels, Limits: noRetries()})
			user, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
			ticket := user.NewTicket(t)
			for i := range 8 {
				user.Say(t, ticket.ID, strings.Repeat("a long story ", 100)+itoa(i))
				agent.Say(t, ticket.ID, strings.Repeat("a long reply ", 100)+itoa(i))
			}
			newest := user.Say(t, ticket.ID, "So what is it?")
			enqueue(t, s, groqsim.Script{Status: http.StatusRequestEntityTooLarge, Times: times})
			stream := user.OpenStream(t, ticket.ID, "")
			requests := s.Simulator.Requests()
			for i, shorter := range requests[1:] {
				require.Less(t, promptBytes(shorter), promptBytes(requests[i]))
				require.Less(t, len(shorter.Chat.Messages), len(requests[i].Chat.Messages))
				require.Equal(t, requests[0].Chat.Messages[0], shorter.Chat.Messages[0], "the instructions stay")
				require.Equal(t, "system", shorter.Chat.Messages[0].Role)
				require.Equal(t, groqsim.Content(newest.Content), shorter.Chat.Messages[len(shorter.Chat.Messages)-1].Content)
			}
			require.Less(t, promptBytes(requests[1]), promptBytes(requests[0])*2/3)
			if times < 100 {
				require.Equal(t, strings.TrimSpace(strings.Repeat("primary ", times+1)), askedModels(s))
				require.Greater(t, len(requests[1].Chat.Messages), 2, "as much as fits is kept")
				stream.RequireOK()
				require.NotNil(t, stream.ReadAll().Done)
				return
			}
			require.Len(t, requests[len(requests)-1].Chat.Messages, 2, "the newest message is all that is left")
			stream.RequireProblem(http.StatusUnprocessableEntity, client.ProblemCodeConversationNotAccepted)
		})
	}
}

// failTimes makes n answers fail, each in a ticket of its own.
func failTimes(t *testing.T, s *desk.Desk, u *apitest.User, n int) {
	t.Helper()
	for range n {
		enqueue(t, s, groqsim.Script{Status: 500})
		u.OpenStream(t, u.NewTicket(t).ID, "").
			RequireProblem(http.StatusServiceUnavailable, client.ProblemCodeAIOverloaded)
	}
}

func TestBreakerStopsAskingAFailingModel(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{Limits: noRetries()})
	user := s.Customer(t)
	answered := user.NewTicket(t)
	text := user.Stream(t, answered.ID).ReadAll().Text
	failTimes(t, s, user, 5)
	asked := len(s.Simulator.Requests())
	require.Equal(t, 6, asked)

	ticket := user.NewTicket(t)
	fastest := time.Hour // The fastest of several attempts, so that other load on the machine does not matter.
	for range 5 {
		at := time.Now()
		stream := user.OpenStream(t, ticket.ID, "")
		fastest = min(fastest, time.Since(at))
		stream.RequireProblem(http.StatusServiceUnavailable, client.ProblemCodeAIOverloaded)
		wait, err := strconv.Atoi(stream.Response.Header.Get("Retry-After"))
		require.NoError(t, err)
		require.Greater(t, wait, 5)
		require.LessOrEqual(t, wait, 30)
	}
	require.LessOrEqual(t, fastest, 50*time.Millisecond)
	requireNotBegun(t, user.Ask(t, ticket.ID, client.CreateAIResponseRequest{}), http.StatusServiceUnavailable,
		client.ProblemCodeAIOverloaded)
	require.Len(t, s.Simulator.Requests(), asked, "upstream got no request")
	require.Zero(t, countRows(t, s, "ai_responses WHERE ticket_id = $1", ticket.ID), "no answer was started")
	require.Equal(t, text, user.Stream(t, answered.ID).ReadAll().Text, "the existing answer can still be read")
}

func TestFallbackWhileTheBreakerIsOpen(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{Models: twoModels, Limits: noRetries()})
	user := s.Customer(t)
	for range 5 {
		enqueue(t, s, groqsim.Script{Status: 503})
		require.NotNil(t, user.Stream(t, user.NewTicket(t).ID).ReadAll().Done)
	}
	require.Equal(t, strings.TrimSpace(strings.Repeat("primary secondary ", 5)), askedModels(s))
	require.NotNil(t, user.Stream(t, user.NewTicket(t).ID).ReadAll().Done)
	models := strings.Fields(askedModels(s))
	require.Equal(t, []string{"secondary", "secondary"}, models[len(models)-2:], "the first model gets no request")
}

func TestCancelledAndRejectedAnswersDoNotOpenTheBreaker(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{Limits: noRetries()})
	user := s.Customer(t)
	failTimes(t, s, user, 4)
	for i := range 3 {
		gate := "cancel-" + itoa(i)
		enqueue(t, s, groqsim.Script{Gates: []groqsim.Gate{{Name: gate, After: 0}}})
		begun := user.Begin(t, user.NewTicket(t).ID)
		requireHeld(t, s, gate)
		user.CancelAIResponse(t, begun.ID)
		require.NotNil(t, user.ReadAIResponse(t, begun.ID).Failed)
		requireEnded(t, s)
	}
	enqueue(t, s, groqsim.Script{Status: 400})
	rejected := user.Begin(t, user.NewTicket(t).ID)
	require.NotNil(t, user.ReadAIResponse(t, rejected.ID).Failed)
	require.NotNil(t, user.Stream(t, user.NewTicket(t).ID).ReadAll().Done, "four failures are not five")
}

// requireEnded waits until upstream has no running requests.
func requireEnded(t *testing.T, s *desk.Desk) {
	t.Helper()
	groqtest.Wait(t, s.Simulator, func(records []groqsim.RequestRecord) bool {
		return records[len(records)-1].End != groqsim.EndRunning
	})
}

func TestRetryAfterOfUpstreamIsPassedOn(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{Models: twoModels})
	user := s.Customer(t)
	// The server does not retry a model whose Retry-After is too long.
	enqueue(t, s, groqsim.Script{Status: 429, RetryAfter: "64"}, groqsim.Script{Status: 429, RetryAfter: "30"})
	stream := user.OpenStream(t, user.NewTicket(t).ID, "")
	stream.RequireProblem(http.StatusServiceUnavailable, client.ProblemCodeAIOverloaded)
	require.Equal(t, "30", stream.Response.Header.Get("Retry-After"), "the shorter of the two waits")
	require.Equal(t, "primary secondary", askedModels(s))
}
