package api_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/testing/apitest"
)

// sayAs sends a message with a client_id.
func sayAs(
	t *testing.T, user *apitest.User, ticketID uuid.UUID, m client.CreateMessageRequest,
) *plain.CreateMessageResponse {
	t.Helper()
	said, err := user.CreateMessageWithResponse(t.Context(), ticketID, nil, m)
	require.NoError(t, err)
	return said
}

func TestMessageIsAddedOncePerClientID(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	agent := d.Staff(t, sqlc.UserRoleAgent)
	message := client.CreateMessageRequest{Content: "A question", ClientID: "outbox-1"}
	created := sayAs(t, d.owner, d.ticket.ID, message)
	require.Equal(t, http.StatusCreated, created.StatusCode(), "%s", created.Body)

	again := func(m client.CreateMessageRequest) client.CreatedMessage {
		t.Helper()
		said := sayAs(t, d.owner, d.ticket.ID, m)
		require.Equal(t, http.StatusOK, said.StatusCode(), "%s", said.Body)
		return *said.JSON200
	}
	require.Equal(t, *created.JSON201, again(message))
	own := message
	own.ClientID = created.JSON201.ID.String()
	require.Equal(t, *created.JSON201, again(own), "the message's own id works too")
	asking := message
	asking.Respond = true
	answer := again(asking)
	require.NotNil(t, answer.AIResponseID, "the answer starts although the message exists")
	require.NotNil(t, d.owner.ReadAIResponse(t, *answer.AIResponseID).Done)

	mismatch := func(by *apitest.User, ticketID uuid.UUID, m client.CreateMessageRequest) {
		t.Helper()
		refused := sayAs(t, by, ticketID, m)
		apitest.RequireProblem(t, refused.StatusCode(), refused.Body, http.StatusUnprocessableEntity, client.ProblemCodeIdempotencyMismatch)
	}
	mismatch(d.owner, d.ticket.ID, client.CreateMessageRequest{Content: "Another question", ClientID: "outbox-1"})
	mismatch(agent, d.ticket.ID, message)
	other := d.owner.NewTicket(t)
	require.Equal(t, http.StatusCreated, sayAs(t, d.owner, other.ID, message).StatusCode(), "another ticket has client ids of its own")
	agent.SetStatus(t, other.ID, client.TicketStatusResolved)
	agent.SetStatus(t, other.ID, client.TicketStatusClosed)
	late := sayAs(t, d.owner, other.ID, asking)
	require.Equal(t, http.StatusOK, late.StatusCode(), "%s", late.Body)
	require.Equal(t, client.ProblemCodeTicketClosed, late.JSON200.Unanswered.Code, "the message exists, but is no longer answered")

	stale := `"1"`
	tagged, err := d.owner.CreateMessageWithResponse(t.Context(), d.ticket.ID, &plain.CreateMessageParams{IfMatch: &stale}, message)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, tagged.StatusCode(), "nothing changes, so the version does not matter")
	fresh := client.CreateMessageRequest{Content: "A question", ClientID: "outbox-2"}
	tagged, err = d.owner.CreateMessageWithResponse(t.Context(), d.ticket.ID, &plain.CreateMessageParams{IfMatch: &stale}, fresh)
	require.NoError(t, err)
	require.Equal(t, http.StatusPreconditionFailed, tagged.StatusCode())

	agent.SetStatus(t, d.ticket.ID, client.TicketStatusResolved)
	agent.SetStatus(t, d.ticket.ID, client.TicketStatusClosed)
	require.Equal(t, *created.JSON201, again(message), "the ticket is closed, but the message exists")
	require.Equal(t, answer.AIResponseID, again(asking).AIResponseID)
	require.Equal(t, http.StatusConflict, sayAs(t, d.owner, d.ticket.ID, fresh).StatusCode())
	redacted := redact(t, agent, created.JSON201.ID)
	require.Equal(t, redacted.RedactedAt, again(message).RedactedAt, "the message stays redacted")
	require.Len(t, d.owner.Messages(t, d.ticket.ID), 2)
	require.Equal(t, http.StatusUnprocessableEntity,
		sayAs(t, d.owner, d.ticket.ID, client.CreateMessageRequest{Content: "A question", ClientID: "two words"}).StatusCode())
}

func TestParallelMessagesWithOneClientIDAreOne(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	const senders = 8
	ids, statuses := make([]uuid.UUID, senders), make([]int, senders)
	var group sync.WaitGroup
	for i := range senders {
		group.Go(func() {
			said := sayAs(t, d.owner, d.ticket.ID, client.CreateMessageRequest{Content: "A question", ClientID: "outbox-1"})
			statuses[i] = said.StatusCode()
			switch {
			case said.JSON201 != nil:
				ids[i] = said.JSON201.ID
			case said.JSON200 != nil:
				ids[i] = said.JSON200.ID
			}
		})
	}
	group.Wait()
	created := 0
	for i := range senders {
		require.Equal(t, ids[0], ids[i])
		if statuses[i] == http.StatusCreated {
			created++
		}
	}
	require.Equal(t, 1, created)
	require.Len(t, d.owner.Messages(t, d.ticket.ID), 1)
}
