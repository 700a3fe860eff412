package api_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/groqtest"
)

// hangUpWithin is the limit of one second for closing the upstream connection, plus some time for a busy machine.
const hangUpWithin = 5 * time.Second

// requireHungUp waits until the server has closed the first upstream request, and returns the time.
func requireHungUp(t *testing.T, s *desk.Desk) time.Time {
	t.Helper()
	groqtest.Wait(t, s.Simulator, func(records []groqsim.RequestRecord) bool {
		return records[0].End != groqsim.EndRunning
	})
	record := s.Simulator.Requests()[0]
	require.Equal(t, groqsim.EndClientGone, record.End)
	return record.FinishedAt
}

// requireCancelled checks that the response was cancelled and left no message.
func requireCancelled(t *testing.T, u *apitest.User, r client.AIResponse) {
	t.Helper()
	require.Equal(t, client.AIResponseStatusCancelled, r.Status)
	require.Equal(t, client.AIFailureCodeCancelled, r.Error.Code)
	require.False(t, r.Error.Retryable)
	require.Nil(t, r.MessageID)
	require.NotEmpty(t, r.FinishedAt)
	require.Empty(t, u.Messages(t, r.TicketID))
}

func TestCancelWorksOnAnyReplica(t *testing.T) {
	t.Parallel()
	for name, fromElsewhere := range map[string]bool{"here": false, "elsewhere": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one, other := twoReplicas(t, desk.Options{})
			user := one.Customer(t)
			there := other.LogIn(t, user.Email, apitest.Password)
			canceller := user
			if fromElsewhere {
				canceller = there
			}
			ticket := user.NewTicket(t)
			enqueue(t, one, groqsim.Script{
				Deltas: []string{"a ", "b ", "c ", "d"}, Gates: []groqsim.Gate{{Name: "middle", After: 3}},
			})
			begun := user.Begin(t, ticket.ID)
			streams := []*apitest.Stream{user.Stream(t, ticket.ID), there.OpenAIResponse(t, begun.ID, "")}
			requireHeld(t, one, "middle")

			at := time.Now()
			requireCancelled(t, user, canceller.CancelAIResponse(t, begun.ID))
			require.WithinDuration(t, at, requireHungUp(t, one), hangUpWithin)
			for _, stream := range streams {
				answer := stream.ReadAll()
				require.Equal(t, client.AIFailureCodeCancelled, answer.Failed.Code)
				require.False(t, answer.Failed.Retryable)
				end := answer.Events[len(answer.Events)-1].ID
				require.Equal(t, http.StatusNoContent, user.OpenStream(t, ticket.ID, end).Response.StatusCode,
					"a browser that reconnects by itself does not start it again")
			}
			requireCancelled(t, user, there.CancelAIResponse(t, begun.ID))

			// The writer records the usage of the cancelled answer once it notices the cancellation.
			require.Eventually(t, func() bool {
				return user.AIResponse(t, begun.ID).Usage.CompletionTokens == 3
			}, patience, 20*time.Millisecond)
			require.NotNil(t, there.Stream(t, ticket.ID).ReadAll().Done, "the turn can be asked again")
			require.Equal(t, 1, countAIMessages(t, one, ticket.ID))
		})
	}
}

func TestCancelBeforeTheFirstWordEndsWaitingReaders(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	ticket := user.NewTicket(t)
	enqueue(t, s, groqsim.Script{Gates: []groqsim.Gate{{Name: "before", After: -1}}})
	begun := user.Begin(t, ticket.ID)
	requireHeld(t, s, "before")
	waiting := make(chan *apitest.Stream, 1)
	go func() { waiting <- user.OpenStream(t, ticket.ID, "") }()
	polled := make(chan client.AIResponseEvents, 1)
	go func() { polled <- user.Poll(t, begun.ID, 0, 20) }()
	streamed := user.OpenAIResponse(t, begun.ID, "")
	user.CancelAIResponse(t, begun.ID)
	require.Equal(t, client.AIFailureCodeCancelled, streamed.ReadAll().Failed.Code)
	events := <-polled
	require.True(t, events.Ended)
	// A reader that came after the cancellation has started the next answer.
	stream := <-waiting
	if stream.Response.StatusCode == http.StatusOK {
		require.NotNil(t, stream.ReadAll().Done)
		return
	}
	stream.RequireProblem(http.StatusConflict, client.ProblemCodeCancelled)
	requireCancelled(t, user, user.AIResponse(t, begun.ID))
}

func TestCancelKeepsEndedAnswers(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{Limits: noRetries()})
	user := s.Customer(t)
	ticket := user.NewTicket(t)
	enqueue(t, s, groqsim.Script{Status: 400})
	failed := user.Begin(t, ticket.ID)
	require.NotNil(t, user.ReadAIResponse(t, failed.ID).Failed)
	completed := user.Begin(t, ticket.ID)
	require.NotNil(t, user.ReadAIResponse(t, completed.ID).Done)
	for _, id := range []uuid.UUID{failed.ID, completed.ID} {
		before := user.AIResponse(t, id)
		require.Equal(t, before, user.CancelAIResponse(t, id))
		require.Equal(t, before, user.AIResponse(t, id))
	}
	require.Len(t, user.Messages(t, ticket.ID), 1)
}

func TestCancelledRegenerationKeepsTheAnswer(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	ticket := user.NewTicket(t)
	stands := user.Stream(t, ticket.ID).ReadAll().Done
	enqueue(t, s, groqsim.Script{Gates: []groqsim.Gate{{Name: "middle", After: 3}}})
	again := user.Regenerate(t, ticket.ID)
	requireHeld(t, s, "middle")
	require.Equal(t, client.AIResponseStatusCancelled, user.CancelAIResponse(t, again.ID).Status)
	require.NotNil(t, user.ReadAIResponse(t, again.ID).Failed)
	require.Equal(t, stands, user.Stream(t, ticket.ID).ReadAll().Done)
	require.Len(t, s.Simulator.Requests(), 2)
}

func TestCancelOrCommitWinsTheRace(t *testing.T) {
	t.Parallel()
	one, other := twoReplicas(t, desk.Options{})
	user := one.Customer(t)
	there := other.LogIn(t, user.Email, apitest.Password)
	outcomes := make(map[client.AIResponseStatus]int)
	for round := range 60 {
		ticket := user.NewTicket(t)
		gate := "end-" + itoa(round)
		enqueue(t, one, groqsim.Script{Deltas: []string{"a ", "b"}, Gates: []groqsim.Gate{{Name: gate, After: 2}}})
		begun := user.Begin(t, ticket.ID)
		requireHeld(t, one, gate)
		var wg sync.WaitGroup
		wg.Go(func() { one.Simulator.Release(gate) })
		wg.Go(func() {
			for range round % 4 { // Each of these requests takes about as long as the commit, to shift the race.
				there.AIResponse(t, begun.ID)
			}
			there.CancelAIResponse(t, begun.ID)
		})
		wg.Wait()
		ended := user.AIResponse(t, begun.ID)
		outcomes[ended.Status]++
		answer := there.ReadAIResponse(t, begun.ID)
		if ended.Status == client.AIResponseStatusCompleted {
			messages := user.Messages(t, ticket.ID)
			require.Len(t, messages, 1)
			require.Equal(t, messages[0].ID, *ended.MessageID)
			require.Equal(t, messages[0].ID, answer.Done.Message.ID)
			continue
		}
		requireCancelled(t, user, ended)
		require.Equal(t, client.AIFailureCodeCancelled, answer.Failed.Code)
	}
	t.Log(outcomes)
}
