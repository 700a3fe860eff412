package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// requireQuota checks that the request is refused because of the budget. most is the longest Retry-After.
func requireQuota(t *testing.T, u *apitest.User, ticketID uuid.UUID, most time.Duration) {
	t.Helper()
	asked := u.Ask(t, ticketID, client.CreateAIResponseRequest{})
	problem := requireNotBegun(t, asked, http.StatusTooManyRequests, client.ProblemCodeAIQuota)
	require.True(t, problem.Retryable)
	wait, err := strconv.Atoi(asked.HTTPResponse.Header.Get("Retry-After"))
	require.NoError(t, err)
	require.Positive(t, wait)
	require.LessOrEqual(t, wait, int(most.Seconds()))
	u.OpenStream(t, ticketID, "").RequireProblem(http.StatusTooManyRequests, client.ProblemCodeAIQuota)
}

func TestBudgetOfRunningAnswersPerUser(t *testing.T) {
	t.Parallel()
	one, other := twoReplicas(t, desk.Options{Budget: assistant.Budget{Running: 2}})
	user := one.Customer(t)
	there := other.LogIn(t, user.Email, apitest.Password)
	enqueue(t, one, groqsim.Script{Times: 3, Gates: []groqsim.Gate{{Name: "late", After: 3}}})
	first, second := user.Begin(t, user.NewTicket(t).ID), there.Begin(t, user.NewTicket(t).ID)
	ticket := user.NewTicket(t)
	for _, u := range []*apitest.User{user, there} {
		requireQuota(t, u, ticket.ID, 10*time.Second)
		requireJoined(t, u.Ask(t, first.TicketID, client.CreateAIResponseRequest{}), first.ID)
		u.Stream(t, second.TicketID).Close()
	}
	stranger := one.Customer(t)
	stranger.Begin(t, stranger.NewTicket(t).ID) // Other users have budgets of their own.

	user.CancelAIResponse(t, first.ID)
	require.NotNil(t, user.Stream(t, ticket.ID).ReadAll().Done, "one has ended")
}

func TestBudgetOfAnswersPerTimePerUser(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		budget assistant.Budget
		window time.Duration
		age    string
	}{
		"per minute": {assistant.Budget{PerMinute: 2, PerDay: 100}, time.Minute, "1 minute"},
		"per day":    {assistant.Budget{PerMinute: 100, PerDay: 2}, 24 * time.Hour, "1 day"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := desk.New(t, desk.Options{Budget: c.budget})
			user := s.Customer(t)
			answered := user.NewTicket(t)
			require.NotNil(t, user.Stream(t, answered.ID).ReadAll().Done)
			again := user.Regenerate(t, answered.ID)
			require.NotNil(t, user.ReadAIResponse(t, again.ID).Done)

			ticket := user.NewTicket(t)
			requireQuota(t, user, ticket.ID, c.window)
			requireNotBegun(t, user.Ask(t, answered.ID, client.CreateAIResponseRequest{Regenerate: true}),
				http.StatusTooManyRequests, client.ProblemCodeAIQuota)
			requireJoined(t, user.Ask(t, answered.ID, client.CreateAIResponseRequest{}), again.ID)
			require.NotNil(t, user.Stream(t, answered.ID).ReadAll().Done, "replaying costs nothing")
			stranger := s.Customer(t)
			require.NotNil(t, stranger.Stream(t, stranger.NewTicket(t).ID).ReadAll().Done)

			// One of the two answers becomes older than the period.
			storetest.Exec(t, s.DatabaseURL,
				"UPDATE ai_responses SET created_at = created_at - $2::text::interval WHERE id = $1", again.ID, c.age)
			begun := user.Begin(t, ticket.ID)
			user.CancelAIResponse(t, begun.ID)
			requireQuota(t, user, user.NewTicket(t).ID, c.window)
		})
	}
}

func TestRetryAfterIsWhenTheOldestAnswerStopsCounting(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{Budget: assistant.Budget{PerMinute: 2}})
	user := s.Customer(t)
	for range 2 {
		require.NotNil(t, user.Stream(t, user.NewTicket(t).ID).ReadAll().Done)
	}
	storetest.Exec(t, s.DatabaseURL, "UPDATE ai_responses SET created_at = created_at - interval '50 seconds'")
	requireQuota(t, user, user.NewTicket(t).ID, 10*time.Second)
}

func TestBudgetIsExactOverReplicas(t *testing.T) {
	t.Parallel()
	const budget = 5
	one, other := twoReplicas(t, desk.Options{Budget: assistant.Budget{Running: 100, PerMinute: budget}})
	user := one.Customer(t)
	askers := []*apitest.User{user, other.LogIn(t, user.Email, apitest.Password)}
	tickets := make([]client.Ticket, 20)
	for i := range tickets {
		tickets[i] = user.NewTicket(t)
	}
	statuses := make([]int, len(tickets))
	var wg sync.WaitGroup
	for i := range tickets {
		wg.Go(func() { statuses[i] = askers[i%2].Ask(t, tickets[i].ID, client.CreateAIResponseRequest{}).StatusCode() })
	}
	wg.Wait()
	counts := make(map[int]int)
	for _, status := range statuses {
		counts[status]++
	}
	require.Equal(t, map[int]int{http.StatusCreated: budget, http.StatusTooManyRequests: len(tickets) - budget}, counts)
	require.Equal(t, budget, countRows(t, one, "ai_responses"))
}

func TestTakeoverDoesNotCountAgainstTheBudget(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{Budget: assistant.Budget{Running: 1, PerMinute: 1, PerDay: 1}})
	user := s.Customer(t)
	ticket := user.NewTicket(t)
	storetest.Exec(t, s.DatabaseURL, `
		INSERT INTO ai_responses (id, ticket_id, customer_id, model, requested_by, owner_id, lease_expires_at)
		VALUES (gen_random_uuid(), $1, $2, 'm', $2, gen_random_uuid(), now() - interval '1 second')`, ticket.ID, user.ID)
	answer := user.Stream(t, ticket.ID).ReadAll()
	require.NotNil(t, answer.Done)
	require.Equal(t, int32(2), user.AIResponse(t, answer.Done.AIResponseID).Attempt)
	require.Equal(t, 1, countRows(t, s, "ai_responses"))
	requireQuota(t, user, user.NewTicket(t).ID, 24*time.Hour) // The takeover did not count as another answer.
}

func TestServerLimitsRunningAnswers(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{MaxRunning: 1})
	user := s.Customer(t)
	enqueue(t, s, groqsim.Script{Gates: []groqsim.Gate{{Name: "late", After: 3}}})
	begun := user.Begin(t, user.NewTicket(t).ID)
	requireHeld(t, s, "late")
	ticket := user.NewTicket(t)
	asked := user.Ask(t, ticket.ID, client.CreateAIResponseRequest{})
	problem := requireNotBegun(t, asked, http.StatusServiceUnavailable, client.ProblemCodeServerBusy)
	require.True(t, problem.Retryable)
	require.Equal(t, "1", asked.HTTPResponse.Header.Get("Retry-After"))
	user.OpenStream(t, ticket.ID, "").RequireProblem(http.StatusServiceUnavailable, client.ProblemCodeServerBusy)
	requireJoined(t, user.Ask(t, begun.TicketID, client.CreateAIResponseRequest{}), begun.ID)
	require.Zero(t, countRows(t, s, "ai_responses WHERE ticket_id = $1", ticket.ID), "a refused request stores nothing")

	s.Simulator.Release("late")
	require.NotNil(t, user.ReadAIResponse(t, begun.ID).Done)
	// The slot becomes free a moment after the answer's end is published.
	require.Eventually(t, func() bool {
		return user.Ask(t, ticket.ID, client.CreateAIResponseRequest{}).StatusCode() == http.StatusCreated
	}, patience, 20*time.Millisecond)
}

// With an Idempotency-Key, the answer starts inside a larger transaction.
func TestUncommittedAnswerHoldsItsSlot(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{MaxRunning: 1})
	user := s.Customer(t)
	actor := auth.Actor{ID: user.ID, Role: auth.RoleUser}
	first, second := user.NewTicket(t), user.NewTicket(t)
	enqueue(t, s, groqsim.Script{Gates: []groqsim.Gate{{Name: "late", After: 3}}})
	undone := errors.New("undone on purpose")
	for _, end := range []error{undone, nil} {
		err := s.Store.InTx(t.Context(), func(ctx context.Context) error {
			_, started, err := s.Assistant.Start(ctx, actor, first.ID, assistant.Request{})
			require.NoError(t, err)
			require.True(t, started)
			_, _, err = s.Assistant.Start(t.Context(), actor, second.ID, assistant.Request{})
			require.True(t, apperr.Is(err, apperr.ServerBusy), "%v", err)
			return end
		})
		require.ErrorIs(t, err, end)
		if end != nil {
			require.Zero(t, s.Assistant.Running(), "a rollback frees the slot")
		}
	}
	require.Equal(t, 1, s.Assistant.Running())
	requireHeld(t, s, "late")
	s.Simulator.Release("late")
}

func TestServerLimitsOpenStreams(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{MaxStreams: 1})
	user := s.Customer(t)
	enqueue(t, s, groqsim.Script{Gates: []groqsim.Gate{{Name: "late", After: 1}}})
	ticket := user.NewTicket(t)
	user.OpenStream(t, uuid.Must(uuid.NewV7()), "").RequireProblem(http.StatusNotFound, client.ProblemCodeNotFound)
	stream := user.Stream(t, ticket.ID) // A refused stream holds no slot.
	event, more := stream.Next()
	require.True(t, more)
	var start plain.StartEvent
	require.NoError(t, json.Unmarshal([]byte(event.Data), &start))

	for _, refused := range []*apitest.Stream{
		user.OpenStream(t, ticket.ID, ""), user.OpenAIResponse(t, start.AIResponseID, ""),
	} {
		problem := refused.RequireProblem(http.StatusServiceUnavailable, client.ProblemCodeTooManyStreams)
		require.True(t, problem.Retryable)
		require.Equal(t, "5", refused.Response.Header.Get("Retry-After"))
	}
	poll, err := user.ListAIResponseEventsWithResponse(t.Context(), start.AIResponseID, nil)
	require.NoError(t, err)
	apitest.RequireProblem(t, poll.StatusCode(), poll.Body, http.StatusServiceUnavailable, client.ProblemCodeTooManyStreams)
	stream.Close()
	require.Eventually(t, func() bool {
		again := user.OpenStream(t, ticket.ID, "")
		defer again.Close()
		return again.Response.StatusCode == http.StatusOK
	}, patience, 20*time.Millisecond)
}
