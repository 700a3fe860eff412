package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/groqtest"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// draftDesk is a cast whose staff review AI answers.
type draftDesk struct{ *cast }

func newDraftDesk(t *testing.T, scripts ...groqsim.Script) *draftDesk {
	t.Helper()
	d := &draftDesk{newCastOn(t, desk.Options{AIMode: sqlc.AIModeDraft})}
	for _, script := range scripts {
		require.NoError(t, d.Simulator.Enqueue(script))
	}
	return d
}

// draft waits until the ticket's draft waits for review, and returns its id.
func (d *draftDesk) draft(t *testing.T) uuid.UUID {
	t.Helper()
	return d.written(t).AIResponseID
}

func (d *draftDesk) written(t *testing.T) plain.ReadyEvent {
	t.Helper()
	got := d.Do(t, http.MethodGet, "/tickets/"+d.ticket.ID.String()+"/ai-response", "", "Authorization: Bearer "+d.agent.Token)
	require.Equal(t, http.StatusOK, got.Status, "%s", got.Body)
	return readyIn(t, got.Body)
}

func (d *draftDesk) get(t *testing.T, id uuid.UUID) client.AIResponse {
	t.Helper()
	got, err := d.agent.GetAIResponseWithResponse(t.Context(), id, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, got.StatusCode(), "%s", got.Body)
	return *got.JSON200
}

func (d *draftDesk) publish(t *testing.T, id uuid.UUID, content string) *plain.PublishAIResponseResponse {
	t.Helper()
	got, err := d.agent.PublishAIResponseWithResponse(t.Context(), id, nil, client.PublishAIResponseRequest{Content: content})
	require.NoError(t, err)
	return got
}

func (d *draftDesk) messages(t *testing.T) []client.Message {
	t.Helper()
	got, err := d.owner.ListMessagesWithResponse(t.Context(), d.ticket.ID, nil)
	require.NoError(t, err)
	return *got.JSON200
}

func TestStaffPublishDrafts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		content, want string
		distance      int32
	}{
		"as they are": {want: "You get it back on Monday.", distance: 0},
		"edited":      {content: "You get it back on Tuesday, Ada.", want: "You get it back on Tuesday, Ada.", distance: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDraftDesk(t, groqsim.Script{Deltas: []string{"You get it back ", "on Monday."}})
			ready := d.written(t)
			require.Equal(t, "You get it back on Monday.", ready.Content)
			waiting := d.get(t, ready.AIResponseID)
			require.True(t, waiting.IsDraft)
			require.Equal(t, client.AIReviewPending, waiting.Review)
			require.Empty(t, d.messages(t))

			published := d.publish(t, waiting.ID, c.content)
			require.Equal(t, http.StatusCreated, published.StatusCode(), "%s", published.Body)
			require.Equal(t, c.want, published.JSON201.Content)
			require.True(t, published.JSON201.IsAI)
			messages := d.messages(t)
			require.Len(t, messages, 1)
			require.Equal(t, c.want, messages[0].Content)
			kept := d.get(t, waiting.ID)
			require.Equal(t, client.AIReviewPublished, kept.Review)
			require.Equal(t, "You get it back on Monday.", kept.Content)
			require.Equal(t, &d.agent.ID, kept.ReviewedBy)
			require.Equal(t, c.distance, *kept.EditDistance)
			about, err := d.owner.GetTicketWithResponse(t.Context(), d.ticket.ID, nil)
			require.NoError(t, err)
			require.Equal(t, messages[0].CreatedAt, about.JSON200.FirstResponseAt)
			require.Equal(t, "You get it back on Monday.", d.written(t).Content, "the draft is replayed as it was written")

			require.Equal(t, client.ProblemCodeNotInReview, d.publish(t, waiting.ID, "").ApplicationProblemJSON409.Code)
			require.Equal(t, []string{"ai_response.started", "ai_response.drafted", "message.created customer", "ai_response.published"},
				strings.Split(storetest.QueryText(t, d.DatabaseURL, `
					SELECT string_agg(type || CASE WHEN customer_id IS NULL THEN '' ELSE ' customer' END, ',' ORDER BY id)
					FROM journal_outbox WHERE ticket_id = $1 AND subject_id = $2`, d.ticket.ID, waiting.ID), ","))
		})
	}
}

func TestCustomersSeeNothingOfDrafts(t *testing.T) {
	t.Parallel()
	d := newDraftDesk(t)
	streams := "/tickets/" + d.ticket.ID.String() + "/ai-response"
	bearer := "Authorization: Bearer " + d.owner.Token
	d.Do(t, http.MethodGet, streams, "", bearer).RequireProblem(t, http.StatusConflict, client.ProblemCodeAIInReview)
	key := "Idempotency-Key: " + uuid.NewString()
	for range 2 {
		d.Do(t, http.MethodPost, streams+"s", `{}`, bearer, jsonType, key).
			RequireProblem(t, http.StatusConflict, client.ProblemCodeAIInReview)
	}
	id := d.draft(t)
	require.Len(t, d.Simulator.Requests(), 1, "the customer's request has started the draft that staff read")
	check := func() {
		t.Helper()
		d.Do(t, http.MethodGet, streams, "", bearer, "Last-Event-ID: "+id.String()+":1").
			RequireProblem(t, http.StatusConflict, d.refusal(t, id))
		for _, path := range []string{"", "/stream", "/events"} {
			d.Do(t, http.MethodGet, "/ai-responses/"+id.String()+path, "", bearer).
				RequireProblem(t, http.StatusNotFound, client.ProblemCodeNotFound)
		}
		d.Do(t, http.MethodPost, "/ai-responses/"+id.String()+"/cancel", "", bearer).
			RequireProblem(t, http.StatusNotFound, client.ProblemCodeNotFound)
		require.Equal(t, "[]\n", string(d.Do(t, http.MethodGet, streams+"s", "", bearer).Body))
	}
	check()
	require.Equal(t, http.StatusNoContent,
		d.Do(t, http.MethodGet, "/ui/chat/"+d.ticket.ID.String()+"/stream", "", bearer).Status)
	chat := d.Do(t, http.MethodPost, "/ui/chat",
		`{"id":"`+d.ticket.ID.String()+`","messages":[{"id":"m","role":"user","parts":[{"type":"text","text":"Hello?"}]}]}`, bearer, jsonType)
	require.Contains(t, string(chat.Body), `"code":"ai_in_review"`)
	require.Equal(t, client.AIResponseStatusSuperseded, d.get(t, id).Status, "the customer has said something else")
	id = d.draft(t)
	require.Equal(t, http.StatusCreated, d.publish(t, id, "Something else.").StatusCode())
	check()
}

// refusal returns the problem of a customer who asks for the answer while there is a draft.
func (d *draftDesk) refusal(t *testing.T, id uuid.UUID) client.ProblemCode {
	t.Helper()
	if d.get(t, id).Review == client.AIReviewPublished {
		return client.ProblemCodeNothingToAnswer
	}
	return client.ProblemCodeAIInReview
}

func TestDiscardedDraftIsRegeneratedForStaffOnly(t *testing.T) {
	t.Parallel()
	d := newDraftDesk(t)
	id := d.draft(t)
	for range 2 {
		discarded, err := d.agent.DiscardAIResponseWithResponse(t.Context(), id, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, discarded.StatusCode(), "%s", discarded.Body)
		require.Equal(t, client.AIReviewDiscarded, discarded.JSON200.Review)
	}
	require.Equal(t, http.StatusConflict, d.publish(t, id, "").StatusCode())
	path := "/tickets/" + d.ticket.ID.String() + "/ai-response"
	d.Do(t, http.MethodGet, path, "", "Authorization: Bearer "+d.owner.Token).
		RequireProblem(t, http.StatusConflict, client.ProblemCodeAIInReview)
	require.Equal(t, id, d.draft(t), "a reader gets the existing draft")
	require.Len(t, d.Simulator.Requests(), 1)
	again, err := d.agent.CreateAIResponseWithResponse(t.Context(), d.ticket.ID, nil, client.CreateAIResponseRequest{})
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, again.StatusCode(), "%s", again.Body)
	require.Equal(t, again.JSON201.ID, d.draft(t))
	require.Empty(t, d.messages(t))
}

func TestCustomersKeepTheAnswerThatADraftMayReplace(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	customer, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	ticket := customer.NewTicket(t)
	answer := customer.Stream(t, ticket.ID).ReadAll().Done
	setAIMode(t, agent, ticket.ID, client.AIModeDraft)
	draft := agent.Regenerate(t, ticket.ID).ID
	getComplete(t, agent, draft)
	for range 2 {
		require.Equal(t, answer.Message.ID, customer.Stream(t, ticket.ID).ReadAll().Done.Message.ID)
		got := customer.Ask(t, ticket.ID, client.CreateAIResponseRequest{Regenerate: true})
		apitest.RequireProblem(t, got.StatusCode(), got.Body, http.StatusConflict, client.ProblemCodeAIInReview)
		discarded, err := agent.DiscardAIResponseWithResponse(t.Context(), draft, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, discarded.StatusCode(), "%s", discarded.Body)
	}
	require.Len(t, s.Simulator.Requests(), 2)
}

func TestHumansWinOverDrafts(t *testing.T) {
	t.Parallel()
	for name, win := range map[string]func(*testing.T, *draftDesk){
		"staff reply":      func(t *testing.T, d *draftDesk) { t.Helper(); d.agent.Say(t, d.ticket.ID, "I am on it.") },
		"customer message": func(t *testing.T, d *draftDesk) { t.Helper(); d.owner.Say(t, d.ticket.ID, "And more.") },
		"mode changes":     func(t *testing.T, d *draftDesk) { t.Helper(); setAIMode(t, d.agent, d.ticket.ID, client.AIModeAuto) },
		"hand-off":         func(t *testing.T, d *draftDesk) { t.Helper(); handOff(t, d.owner, d.ticket.ID) },
		"close": func(t *testing.T, d *draftDesk) {
			t.Helper()
			for _, status := range []client.TicketStatus{"resolved", "closed"} {
				d.agent.SetStatus(t, d.ticket.ID, status)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			waiting := newDraftDesk(t)
			id := waiting.draft(t)
			win(t, waiting)
			require.Equal(t, client.AIResponseStatusSuperseded, waiting.get(t, id).Status)
			require.Equal(t, http.StatusConflict, waiting.publish(t, id, "").StatusCode())

			running := newDraftDesk(t, groqsim.Script{Gates: []groqsim.Gate{{Name: "second", After: 1}}})
			begun, err := running.agent.CreateAIResponseWithResponse(t.Context(), running.ticket.ID, nil, client.CreateAIResponseRequest{})
			require.NoError(t, err)
			groqtest.Wait(t, running.Simulator, func(r []groqsim.RequestRecord) bool {
				return len(r) == 1 && r[0].HeldAt == "second"
			})
			require.Equal(t, http.StatusConflict, running.publish(t, begun.JSON201.ID, "").StatusCode(), "it is still being written")
			win(t, running)
			ended := running.get(t, begun.JSON201.ID)
			require.Equal(t, client.AIResponseStatusSuperseded, ended.Status)
			require.Equal(t, client.AIFailureCodeSuperseded, ended.Error.Code)
		})
	}
}

func handOff(t *testing.T, u *apitest.User, ticketID uuid.UUID) client.Ticket {
	t.Helper()
	got, err := u.HandOffTicketWithResponse(t.Context(), ticketID, nil, client.HandOffTicketRequest{
		Reason: client.HandoffReasonWantsHuman, Note: "Secret note.",
	})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, got.StatusCode(), "%s", got.Body)
	return *got.JSON200
}

func TestHandOffStopsTheAIUntilStaffTurnItOn(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	customer, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	ticket := customer.NewTicket(t)
	first := handOff(t, customer, ticket.ID)
	require.Equal(t, client.AIModeOff, first.AIMode)
	require.Equal(t, client.HandoffReasonWantsHuman, first.HandoffReason)
	require.Empty(t, first.HandoffNote)
	second := handOff(t, agent, ticket.ID)
	require.Equal(t, first.HandedOffAt, second.HandedOffAt)
	require.Equal(t, "Secret note.", second.HandoffNote)
	require.Equal(t, 1, storetest.QueryInt(t, s.DatabaseURL,
		"SELECT count(*) FROM journal_outbox WHERE ticket_id = $1 AND type = 'ticket.handed_off'", ticket.ID))
	s.Do(t, http.MethodGet, "/tickets/"+ticket.ID.String()+"/ai-response", "", "Authorization: Bearer "+customer.Token).
		RequireProblem(t, http.StatusConflict, client.ProblemCodeHandedOff)
	on := func(u *apitest.User, mode client.AIMode) int {
		got, err := u.UpdateTicketWithResponse(t.Context(), ticket.ID, nil, client.UpdateTicketRequest{AIMode: mode})
		require.NoError(t, err)
		return got.StatusCode()
	}
	require.Equal(t, http.StatusForbidden, on(customer, client.AIModeAuto))
	require.Equal(t, http.StatusOK, on(agent, client.AIModeAuto))
	require.Equal(t, http.StatusForbidden, on(customer, client.AIModeDraft))
	require.Equal(t, http.StatusOK, on(customer, client.AIModeOff))
	require.Equal(t, http.StatusForbidden, on(customer, client.AIModeDraft), "it was auto")
	require.Equal(t, http.StatusOK, on(customer, client.AIModeAuto), "the customer has turned it off")
	require.Equal(t, http.StatusOK, on(customer, client.AIModeOff))
	require.Equal(t, http.StatusOK, on(agent, client.AIModeOff))
	require.Equal(t, http.StatusForbidden, on(customer, client.AIModeAuto), "staff want it off")
}

func TestMessageStartsItsAnswer(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	customer := s.Customer(t)
	ticket := customer.NewTicket(t)
	say := func(key string) *plain.CreateMessageResponse {
		got, err := customer.CreateMessageWithResponse(t.Context(), ticket.ID, &plain.CreateMessageParams{IdempotencyKey: &key},
			client.CreateMessageRequest{Content: "When?", Respond: true})
		require.NoError(t, err)
		require.Equal(t, http.StatusCreated, got.StatusCode(), "%s", got.Body)
		return got
	}
	first := say("question-1")
	require.Equal(t, first.Body, say("question-1").Body)
	require.Nil(t, first.JSON201.Unanswered)
	stream := s.Do(t, http.MethodGet, first.JSON201.AIResponseURL, "", "Authorization: Bearer "+customer.Token)
	require.Contains(t, string(stream.Body), `"ai_response_id":"`+first.JSON201.AIResponseID.String())
	require.Len(t, s.Simulator.Requests(), 1)
	handOff(t, customer, ticket.ID)
	refused := say("question-2").JSON201
	require.Equal(t, client.ProblemCodeHandedOff, refused.Unanswered.Code)
	require.Nil(t, refused.AIResponseID)
	require.Empty(t, refused.AIResponseURL)
}
