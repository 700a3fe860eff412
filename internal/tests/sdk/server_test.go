package sdktest_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// connect returns a user's SDK for the real server. Its responses are validated against the contract.
func connect(t *testing.T, server *desk.Desk, options ...client.Option) *client.Support {
	t.Helper()
	support, err := client.New(append([]client.Option{
		client.WithBaseURL(server.URL), client.WithHTTPClient(server.HTTP), client.WithToken(""),
	}, options...)...)
	require.NoError(t, err)
	return support
}

func openTicket(t *testing.T, support *client.Support) *client.Ticket {
	t.Helper()
	ticket, err := support.CreateTicket(t.Context(), client.CreateTicketRequest{
		Title: "Invoice 4711 is wrong", Description: "I was charged twice for October.",
	})
	require.NoError(t, err)
	return ticket
}

func TestSDKJourneyFromSignUpToAnswer(t *testing.T) {
	t.Parallel()
	server := desk.New(t, desk.Options{})
	anonymous := connect(t, server)
	credentials := client.SignUpRequest{Email: "ada@example.com", Password: apitest.Password}
	user, err := anonymous.SignUp(t.Context(), credentials)
	require.NoError(t, err)
	tokens, err := anonymous.LogIn(t.Context(), client.LogInRequest{Email: user.Email, Password: credentials.Password})
	require.NoError(t, err)

	support := connect(t, server, client.WithToken(tokens.AccessToken))
	ticket := openTicket(t, support)
	answer, err := support.AskAI(t.Context(), ticket.ID, "It was on 14 October.")
	require.NoError(t, err)
	require.True(t, answer.IsAI)

	shown, err := support.GetTicket(t.Context(), ticket.ID)
	require.NoError(t, err)
	require.Len(t, shown.Messages, 2)
	require.Equal(t, *answer, shown.Messages[1])
	feedback, err := support.PutMessageFeedback(t.Context(), answer.ID, client.PutMessageFeedbackRequest{Rating: client.RatingUp})
	require.NoError(t, err)
	require.Equal(t, answer.ID, feedback.MessageID)
	_, err = support.AskAI(t.Context(), uuid.New(), "Where is it?")
	require.True(t, client.IsProblem(err, client.ProblemCodeNotFound), "%v", err)
	require.NoError(t, support.LogOut(t.Context()))
	_, err = support.GetMe(t.Context())
	require.True(t, client.IsProblem(err, client.ProblemCodeInvalidToken), "%v", err)
}

func TestAskAIRepeatedWithOneKeyAsksOnce(t *testing.T) {
	t.Parallel()
	server := desk.New(t, desk.Options{})
	support := connect(t, server, client.WithToken(server.Customer(t).Token))
	ticket := openTicket(t, support)
	var answers []client.ID
	for range 2 {
		answer, err := support.AskAI(t.Context(), ticket.ID, "Are you there?", client.WithIdempotencyKey("question-1"))
		require.NoError(t, err)
		answers = append(answers, answer.ID)
	}
	require.Equal(t, answers[0], answers[1])
	shown, err := support.GetTicket(t.Context(), ticket.ID)
	require.NoError(t, err)
	require.Len(t, shown.Messages, 2)

	later, err := support.AskAI(t.Context(), ticket.ID, "And later?")
	require.NoError(t, err)
	server.Staff(t, sqlc.UserRoleAgent).Say(t, ticket.ID, "I am on it.")
	again, err := support.AskAI(t.Context(), ticket.ID, "Are you there?", client.WithIdempotencyKey("question-1"))
	require.NoError(t, err)
	require.Equal(t, answers[0], again.ID, "the answer to that question")
	require.NotEqual(t, later.ID, again.ID)
	require.Len(t, server.Simulator.Requests(), 2)
}

func TestAskAIReturnsTheReasonWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	for mode, code := range map[sqlc.AIMode]client.ProblemCode{
		sqlc.AIModeDraft: client.ProblemCodeAIInReview, sqlc.AIModeOff: client.ProblemCodeAIDisabled,
	} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			server := desk.New(t, desk.Options{AIMode: mode})
			support := connect(t, server, client.WithToken(server.Customer(t).Token))
			ticket := openTicket(t, support)
			for range 2 {
				_, err := support.AskAI(t.Context(), ticket.ID, "Are you there?", client.WithIdempotencyKey("question-1"))
				require.True(t, client.IsProblem(err, code), "%v", err)
			}
			shown, err := support.GetTicket(t.Context(), ticket.ID)
			require.NoError(t, err)
			require.Len(t, shown.Messages, 1)
		})
	}
}

func TestAskAIReturnsADraftAsReady(t *testing.T) {
	t.Parallel()
	server := desk.New(t, desk.Options{AIMode: sqlc.AIModeDraft})
	require.NoError(t, server.Simulator.Enqueue(groqsim.Script{Deltas: []string{"Thank ", "you."}}))
	support := connect(t, server, client.WithToken(server.Staff(t, sqlc.UserRoleAgent).Token))
	_, err := support.AskAI(t.Context(), openTicket(t, support).ID, "Are you there?")
	var ready client.Ready
	require.ErrorAs(t, err, &ready)
	require.Equal(t, "Thank you.", ready.Content)
}

// cutting cuts each stream off, each time after more bytes, and shortens the pause before a resumption.
type cutting struct {
	client   plain.HttpRequestDoer
	limit    atomic.Int64
	requests atomic.Int64
}

func (c *cutting) Do(r *http.Request) (*http.Response, error) {
	response, err := c.client.Do(r)
	if err != nil || !strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		return response, err
	}
	c.requests.Add(1)
	body := response.Body
	if _, err := io.CopyN(io.Discard, body, int64(len("retry: 2000\n\n"))); err != nil {
		return nil, err
	}
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(strings.NewReader("retry: 1\n\n"), io.LimitReader(body, c.limit.Add(97))), body}
	return response, nil
}

func TestSDKResumesStreamsOfTheRealServer(t *testing.T) {
	t.Parallel()
	server := desk.New(t, desk.Options{})
	user := server.Customer(t)
	ticket := user.NewTicket(t)
	answer, err := client.AnswerOf(connect(t, server, client.WithToken(user.Token)).StreamAIResponse(t.Context(), ticket.ID))
	require.NoError(t, err)

	fragile := &cutting{client: server.HTTP}
	fragile.limit.Store(250)
	var text string
	for event, err := range connect(t, server, client.WithToken(user.Token), client.WithHTTPClient(fragile)).
		StreamAIResponse(t.Context(), ticket.ID) {
		require.NoError(t, err)
		switch event := event.(type) {
		case client.Delta:
			text += event.Content
		case client.Reset:
			text = ""
		case client.Done:
			require.Equal(t, *answer, event.Message)
		}
	}
	require.Equal(t, answer.Content, text)
	require.Greater(t, fragile.requests.Load(), int64(2), "nothing was cut")
}

func TestSDKPollsEventsOfTheRealServer(t *testing.T) {
	t.Parallel()
	server := desk.New(t, desk.Options{})
	support := connect(t, server, client.WithToken(server.Customer(t).Token))
	answer, err := support.CreateAIResponse(t.Context(), openTicket(t, support).ID, client.CreateAIResponseRequest{})
	require.NoError(t, err)
	var text, stored string
	after, wait := int64(0), int32(20)
	for ended := false; !ended; {
		page, err := support.ListAIResponseEvents(t.Context(), answer.ID, &client.ListAIResponseEventsParams{After: &after, Wait: &wait})
		require.NoError(t, err)
		for _, numbered := range page.Events {
			event, err := client.EventOf(numbered.Event)
			require.NoError(t, err)
			switch event := event.(type) {
			case client.Delta:
				text += event.Content
			case client.Done:
				stored = event.Message.Content
			}
		}
		after, ended = page.LastSeq, page.Ended
	}
	require.NotEmpty(t, text)
	require.Equal(t, stored, text)
}

func TestSDKReadsAllPages(t *testing.T) {
	t.Parallel()
	server := desk.New(t, desk.Options{})
	support := connect(t, server, client.WithToken(server.Customer(t).Token))
	var want, got []uuid.UUID
	for range 5 {
		want = append([]uuid.UUID{openTicket(t, support).ID}, want...)
	}
	limit := client.Limit(2)
	for ticket, err := range support.ListTickets(t.Context(), &client.ListTicketsParams{Limit: &limit}) {
		require.NoError(t, err)
		got = append(got, ticket.ID)
	}
	require.Equal(t, want, got)

	page, err := support.ListTicketsPage(t.Context(), &client.ListTicketsParams{Limit: &limit})
	require.NoError(t, err)
	page, err = support.ListTicketsPage(t.Context(), &client.ListTicketsParams{Limit: &limit, Cursor: &page.Next})
	require.NoError(t, err)
	require.Equal(t, want[2], page.Items[0].ID)
}

// forgetful loses the responses to the first requests of a method.
type forgetful struct {
	client plain.HttpRequestDoer
	method string
	losses atomic.Int64
}

func (f *forgetful) Do(r *http.Request) (*http.Response, error) {
	response, err := f.client.Do(r)
	if err != nil || r.Method != f.method || f.losses.Add(-1) < 0 {
		return response, err
	}
	_ = response.Body.Close()
	return nil, errors.New("the reply is lost")
}

func TestSDKOpensOneTicketWhenResponsesAreLost(t *testing.T) {
	t.Parallel()
	server := desk.New(t, desk.Options{})
	lossy := &forgetful{client: server.HTTP, method: http.MethodPost}
	lossy.losses.Store(2)
	support := connect(t, server, client.WithToken(server.Customer(t).Token), client.WithHTTPClient(lossy))
	ticket := openTicket(t, support)
	page, err := support.ListTicketsPage(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, page.Items, 1)
	require.Equal(t, ticket.ID, page.Items[0].ID)
	require.Negative(t, lossy.losses.Load(), "no response was lost")
}

func TestSDKRefreshesTokensOfTheRealServer(t *testing.T) {
	t.Parallel()
	server := desk.New(t, desk.Options{})
	user := server.Customer(t)
	lossy := &forgetful{client: server.HTTP, method: http.MethodPost}
	lossy.losses.Store(1)
	var kept []string
	support := connect(t, server, client.WithToken("ended"), client.WithHTTPClient(lossy),
		client.WithRefreshToken(user.Refresh, func(next client.AccessToken) { kept = append(kept, next.RefreshToken) }))
	me, err := support.GetMe(t.Context())
	require.NoError(t, err)
	require.Equal(t, user.ID, me.ID)
	require.Len(t, kept, 1)

	again := connect(t, server, client.WithRefreshToken(kept[0], nil))
	_, err = again.GetMe(t.Context())
	require.NoError(t, err, "the stored token continues the session")
	_, err = connect(t, server, client.WithRefreshToken(user.Refresh, nil)).GetMe(t.Context())
	require.True(t, client.IsProblem(err, client.ProblemCodeTokenReuse), "%v", err)
}

func TestSDKHandlesETags(t *testing.T) {
	t.Parallel()
	server := desk.New(t, desk.Options{})
	support := connect(t, server, client.WithToken(server.Customer(t).Token))
	ticket := openTicket(t, support)
	var header http.Header
	_, err := support.GetTicket(t.Context(), ticket.ID, client.WithResponseHeader(&header))
	require.NoError(t, err)
	etag := header.Get("ETag")
	_, err = support.GetTicket(t.Context(), ticket.ID, client.WithIfNoneMatch(etag))
	require.ErrorIs(t, err, client.ErrNotModified)
	change := client.UpdateTicketRequest{Status: client.TicketStatusPending}
	_, err = support.UpdateTicket(t.Context(), ticket.ID, change, client.WithIfMatch(etag))
	require.NoError(t, err)
	_, err = support.UpdateTicket(t.Context(), ticket.ID, change, client.WithIfMatch(etag))
	require.True(t, client.IsProblem(err, client.ProblemCodePreconditionFailed), "%v", err)
}

func TestSDKSendsOnlyFiltersThatAreSet(t *testing.T) {
	t.Parallel()
	server := desk.New(t, desk.Options{})
	server.Customer(t)
	admin := server.Staff(t, sqlc.UserRoleAdmin)
	support := connect(t, server, client.WithToken(admin.Token))
	var admins []uuid.UUID
	for account, err := range support.ListUsers(t.Context(), &client.ListUsersParams{Role: client.ListUsersParamsRoleAdmin}) {
		require.NoError(t, err)
		admins = append(admins, account.ID)
	}
	require.Equal(t, []uuid.UUID{admin.ID}, admins)
}
