package api_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
	"github.com/supportbackend/support/internal/ticket"
)

func getTicket(t *testing.T, u *apitest.User, ticket client.Ticket) client.TicketWithMessages {
	t.Helper()
	got, err := u.GetTicketWithResponse(t.Context(), ticket.ID, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, got.StatusCode(), "%s", got.Body)
	return *got.JSON200
}

func TestCustomerMessageReopensPendingAndResolvedTickets(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	customer, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	for _, status := range []client.TicketStatus{"open", "pending", "resolved"} {
		ticket := customer.NewTicket(t)
		for _, step := range ways[status] {
			agent.SetStatus(t, ticket.ID, step)
		}
		agent.Say(t, ticket.ID, "Is it solved?")
		require.Equal(t, status, getTicket(t, customer, ticket).Status, "a staff reply does not reopen a ticket")
		message := customer.Say(t, ticket.ID, "No.")
		after := getTicket(t, customer, ticket)
		require.EqualValues(t, "open", after.Status, status)
		require.Equal(t, message.CreatedAt, after.LastMessageAt)
		require.Equal(t, message.CreatedAt, after.UpdatedAt)
		changes := len(ways[status])
		if status != "open" {
			changes++
		}
		require.Equal(t, changes, countChanges(t, s, ticket), "every change of status is recorded")
	}
}

func TestMessagesUpdateTheTicketsTimes(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	customer, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	ticket := customer.NewTicket(t)
	require.Equal(t, ticket.CreatedAt, ticket.LastMessageAt)
	reply := agent.Say(t, ticket.ID, "A moment, please.")
	require.Equal(t, reply.CreatedAt, getTicket(t, customer, ticket).LastMessageAt)
	customer.Say(t, ticket.ID, "Thank you.")
	stream := customer.Stream(t, ticket.ID)
	for _, more := stream.Next(); more; {
		_, more = stream.Next()
	}
	answered := getTicket(t, customer, ticket)
	newest := answered.Messages[len(answered.Messages)-1]
	require.True(t, newest.IsAI)
	require.Equal(t, newest.CreatedAt, answered.LastMessageAt)
	agent.SetStatus(t, ticket.ID, "pending")
	moved := getTicket(t, customer, ticket)
	require.Equal(t, newest.CreatedAt, moved.LastMessageAt)
	require.Greater(t, moved.UpdatedAt, answered.UpdatedAt)
}

func TestDailyBudgetLimitsCustomers(t *testing.T) {
	t.Parallel()
	one := desk.New(t, desk.Options{Writing: ticket.Budget{Tickets: 3, Messages: 3}})
	other := desk.New(t, desk.Options{DatabaseURL: one.DatabaseURL, Writing: ticket.Budget{Tickets: 3, Messages: 3}})
	customer, agent := one.Customer(t), one.Staff(t, sqlc.UserRoleAgent)
	about := customer.NewTicket(t)
	elsewhere := customer.With(t, other.Client, customer.Token)
	for path, body := range map[string]string{
		"/tickets": `{"title":"x","description":"x"}`, "/tickets/" + about.ID.String() + "/messages": `{"content":"x"}`,
	} {
		responses := make([]apitest.Response, 12)
		var asking sync.WaitGroup
		for i := range responses {
			user := []*apitest.User{customer, elsewhere}[i%2]
			asking.Go(func() { responses[i] = user.Do(t, http.MethodPost, path, body, contentJSON) })
		}
		asking.Wait()
		for _, r := range responses {
			if r.Status != http.StatusCreated {
				r.RequireProblem(t, http.StatusTooManyRequests, client.ProblemCodeRateLimited)
				require.NotEmpty(t, r.Header.Get("Retry-After"))
			}
		}
	}
	count := func(sql string) int { return storetest.QueryInt(t, one.DatabaseURL, sql) }
	require.Equal(t, 3, count("SELECT count(*) FROM tickets"), "the budget is exact over both replicas")
	require.Equal(t, 3, count("SELECT count(*) FROM messages"))
	require.Equal(t, 4, count("SELECT max(version) FROM tickets"), "refused requests change nothing")
	for range 5 {
		agent.Say(t, about.ID, "Staff have no limit.")
	}
	storetest.Exec(t, one.DatabaseURL, "UPDATE daily_usage SET day = day - 2")
	customer.Say(t, about.ID, "Another day.")
}

func TestDailyBudgetLimitsChanges(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{Writing: ticket.Budget{Messages: 7, Bytes: 1000}})
	customer, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	about := customer.NewTicket(t)
	answer := customer.Stream(t, about.ID).ReadAll().Done.Message.ID.String()
	rate := func(body string) apitest.Response {
		return customer.Do(t, http.MethodPut, "/messages/"+answer+"/feedback", body, contentJSON)
	}
	rate(jsonText(t, map[string]string{"rating": "up", "comment": markup[:1000]})).
		RequireProblem(t, http.StatusTooManyRequests, client.ProblemCodeRateLimited)
	customer.Say(t, about.ID, "A message counts as one.")
	path := "/tickets/" + about.ID.String()
	for _, rating := range []string{"up", "down", "up"} {
		require.Equal(t, http.StatusOK, rate(`{"rating":"`+rating+`"}`).Status)
		status := map[string]string{"up": "pending", "down": "open"}[rating]
		require.Equal(t, http.StatusOK, customer.Do(t, http.MethodPatch, path, `{"status":"`+status+`"}`, contentJSON).Status)
	}
	entries := countRows(t, s, "journal_outbox")
	for _, r := range []apitest.Response{
		rate(`{"rating":"down"}`),
		customer.Do(t, http.MethodPatch, path, `{"status":"open"}`, contentJSON),
		customer.Do(t, http.MethodPost, path+"/handoff", `{"reason":"wants_human"}`, contentJSON),
	} {
		r.RequireProblem(t, http.StatusTooManyRequests, client.ProblemCodeRateLimited)
		require.NotEmpty(t, r.Header.Get("Retry-After"))
	}
	require.Equal(t, entries, countRows(t, s, "journal_outbox"))
	agent.SetStatus(t, about.ID, "open")
}

func TestDailyBudgetLimitsBytes(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{Writing: ticket.Budget{Bytes: 1000}})
	customer := s.Customer(t)
	about := customer.NewTicket(t)
	used := len(about.Title) + len(about.Description)
	path := "/tickets/" + about.ID.String() + "/messages"
	long := jsonText(t, map[string]string{"content": markup[:1000-used+1]})
	r := customer.Do(t, http.MethodPost, path, long, contentJSON)
	r.RequireProblem(t, http.StatusTooManyRequests, client.ProblemCodeRateLimited)
	customer.Say(t, about.ID, markup[:1000-used])
	r = customer.Do(t, http.MethodPost, "/tickets", `{"title":"x","description":"x"}`, contentJSON)
	r.RequireProblem(t, http.StatusTooManyRequests, client.ProblemCodeRateLimited)
}

func TestUsageOfPastDaysIsDeleted(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{Writing: ticket.Budget{Tickets: 10}})
	customer := s.Customer(t)
	customer.NewTicket(t)
	storetest.Exec(t, s.DatabaseURL, `INSERT INTO daily_usage
		SELECT user_id, day - n, 1, 1, 1 FROM daily_usage, generate_series(1, 2500) AS n`)
	require.NoError(t, ticket.NewService(s.Store, ticket.Options{}).Sweep(t.Context()))
	require.Equal(t, 2, storetest.QueryInt(t, s.DatabaseURL, "SELECT count(*) FROM daily_usage"))
}
