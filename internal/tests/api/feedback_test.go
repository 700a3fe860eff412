package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
)

func rate(t *testing.T, u *apitest.User, messageID uuid.UUID, r client.PutMessageFeedbackRequest) client.MessageFeedback {
	t.Helper()
	rated, err := u.PutMessageFeedbackWithResponse(t.Context(), messageID, r)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, rated.StatusCode(), "%s", rated.Body)
	return *rated.JSON200
}

// requireNoFeedback checks that the user finds no answer to rate, or no rating to read.
func requireNoFeedback(t *testing.T, u *apitest.User, method string, messageID uuid.UUID) {
	t.Helper()
	body, header := "", []string(nil)
	if method == http.MethodPut {
		body, header = `{"rating":"down"}`, []string{"Content-Type: application/json"}
	}
	u.Do(t, method, "/messages/"+messageID.String()+"/feedback", body, header...).
		RequireProblem(t, http.StatusNotFound, client.ProblemCodeNotFound)
}

func TestCustomerRatesAnAnswer(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user, stranger := s.Customer(t), s.Customer(t)
	agent, admin := s.Staff(t, sqlc.UserRoleAgent), s.Staff(t, sqlc.UserRoleAdmin)
	message := user.Stream(t, user.NewTicket(t).ID).ReadAll().Done.Message
	for _, u := range []*apitest.User{user, agent} {
		requireNoFeedback(t, u, http.MethodGet, message.ID)
	}

	first := rate(t, user, message.ID, client.PutMessageFeedbackRequest{Rating: client.RatingUp, Comment: "Thank you 👋"})
	require.Equal(t, message.ID, first.MessageID)
	require.Equal(t, client.RatingUp, first.Rating)
	require.Equal(t, "Thank you 👋", first.Comment)
	changed := rate(t, user, message.ID, client.PutMessageFeedbackRequest{Rating: client.RatingDown})
	require.Equal(t, client.RatingDown, changed.Rating)
	require.Empty(t, changed.Comment, "a rating is replaced as a whole")
	require.Equal(t, first.CreatedAt, changed.CreatedAt)
	require.Greater(t, changed.UpdatedAt, first.UpdatedAt)

	for _, u := range []*apitest.User{stranger, agent, admin} {
		requireNoFeedback(t, u, http.MethodPut, message.ID)
	}
	requireNoFeedback(t, stranger, http.MethodGet, message.ID)
	for _, u := range []*apitest.User{user, agent, admin} {
		got, err := u.GetMessageFeedbackWithResponse(t.Context(), message.ID, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, got.StatusCode(), "%s", got.Body)
		require.Equal(t, changed, *got.JSON200, "other users have not changed it")
	}
	require.Equal(t, 1, countRows(t, s, "message_feedback"))
}

func TestOnlyAIAnswersCanBeRated(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	ticket := user.NewTicket(t)
	require.NotNil(t, user.Stream(t, ticket.ID).ReadAll().Done)
	for _, id := range []uuid.UUID{
		user.Say(t, ticket.ID, "And November?").ID, agent.Say(t, ticket.ID, "I look into it.").ID,
		ticket.ID, uuid.Must(uuid.NewV7()),
	} {
		requireNoFeedback(t, user, http.MethodPut, id)
		requireNoFeedback(t, user, http.MethodGet, id)
	}
	require.Zero(t, countRows(t, s, "message_feedback"))
}

func TestReplacedAnswerKeepsItsRating(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	ticket := user.NewTicket(t)
	old := user.Stream(t, ticket.ID).ReadAll().Done.Message
	down := rate(t, user, old.ID, client.PutMessageFeedbackRequest{Rating: client.RatingDown})
	again := user.ReadAIResponse(t, user.Regenerate(t, ticket.ID).ID).Done.Message
	requireNoFeedback(t, user, http.MethodGet, again.ID)
	got, err := user.GetMessageFeedbackWithResponse(t.Context(), old.ID, nil)
	require.NoError(t, err)
	require.Equal(t, down, *got.JSON200)
}

func TestRatingsAreValidated(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	message := user.Stream(t, user.NewTicket(t).ID).ReadAll().Done.Message
	longest := strings.Repeat("👋", 2000)
	require.Equal(t, longest,
		rate(t, user, message.ID, client.PutMessageFeedbackRequest{Rating: client.RatingUp, Comment: longest}).Comment)
	path := "/messages/" + message.ID.String() + "/feedback"
	for name, body := range map[string]string{
		"comment too long":     `{"rating":"up","comment":"` + longest + `x"}`,
		"comment empty":        `{"rating":"up","comment":""}`,
		"comment blank":        `{"rating":"up","comment":" \n\t"}`,
		"comment no text":      `{"rating":"up","comment":1}`,
		"no rating":            `{"comment":"Thank you."}`,
		"unknown rating":       `{"rating":"sideways"}`,
		"rating in upper case": `{"rating":"UP"}`,
		"unknown member":       `{"rating":"up","stars":5}`,
	} {
		user.Do(t, http.MethodPut, path, body, "Content-Type: application/json").
			RequireProblem(t, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed)
		got, err := user.GetMessageFeedbackWithResponse(t.Context(), message.ID, nil)
		require.NoError(t, err)
		require.Equal(t, longest, got.JSON200.Comment, "%s: nothing was changed", name)
	}
}
