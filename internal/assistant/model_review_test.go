package assistant

import (
	"slices"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/page"
	"github.com/supportbackend/support/internal/testing/storetest"
	"github.com/supportbackend/support/internal/ticket"
)

// staffSetMode changes the AI mode as staff.
func (m *machine) staffSetMode(t *rapid.T, mode sqlc.AIMode) {
	running := m.model.running()
	m.update(t, ticket.Change{AIMode: mode})
	m.model.setMode(mode)
	m.model.modeBefore = ""
	m.abandon(running)
}

// changeMode changes the AI mode. The customer may turn the AI off, and on again if they turned it off themselves.
func (m *machine) changeMode(t *rapid.T) {
	mode := rapid.SampledFrom([]sqlc.AIMode{sqlc.AIModeDraft, sqlc.AIModeAuto, sqlc.AIModeOff}).Draw(t, "mode")
	if rapid.Bool().Draw(t, "staff") {
		m.staffSetMode(t, mode)
		m.settle(t)
		return
	}
	running, before := m.model.running(), m.model.mode
	_, err := m.tickets.Update(m.t.Context(), m.customer, m.ticketID, ticket.Change{AIMode: mode}, nil)
	switch mode {
	case before:
		require.NoError(t, err)
	case sqlc.AIModeOff:
		require.NoError(t, err)
		m.model.setMode(mode)
		m.model.modeBefore = before
	case m.model.modeBefore:
		require.NoError(t, err)
		m.model.setMode(mode)
		m.model.modeBefore = ""
	default:
		require.True(t, apperr.Is(err, apperr.Forbidden), "%v", err)
	}
	m.abandon(running)
	m.settle(t)
}

// handOff hands the ticket off to humans.
func (m *machine) handOff(t *rapid.T) {
	by, running := m.actor(rapid.Bool().Draw(t, "staff")), m.model.running()
	_, err := m.tickets.HandOff(m.t.Context(), by, m.ticketID, ticket.Handoff{Reason: sqlc.HandoffReasonWantsHuman})
	switch {
	case m.model.handedOff:
		require.NoError(t, err)
	case m.model.closed:
		require.True(t, apperr.Is(err, apperr.TicketClosed), "%v", err)
	default:
		require.NoError(t, err)
		m.model.handOff()
	}
	m.abandon(running)
	m.settle(t)
}

// waiting returns the draft that waits for review, and creates it first if necessary.
func (m *machine) waiting(t *rapid.T) *modelResponse {
	if r := m.model.pending(); r != nil {
		return r
	}
	if m.model.closed || m.model.staffLast || m.model.handedOff {
		t.Skip("nothing is to be written")
	}
	if m.model.mode != sqlc.AIModeDraft {
		m.staffSetMode(t, sqlc.AIModeDraft)
		m.settle(t)
	}
	r := m.running(t)
	for r.streaming() {
		m.sendOne(t, r)
		m.settle(t)
	}
	if !r.waits() {
		t.Skip("upstream has broken off")
	}
	return r
}

// draft draws a draft, mostly one that waits for review, perhaps while another one is being written.
func (m *machine) draft(t *rapid.T) *modelResponse {
	if rapid.IntRange(0, 3).Draw(t, "draft") > 0 {
		r := m.waiting(t)
		if rapid.Bool().Draw(t, "again") {
			m.running(t)
		}
		return r
	}
	var drafts []*modelResponse
	for _, r := range m.model.responses {
		if r.draft {
			drafts = append(drafts, r)
		}
	}
	if len(drafts) == 0 {
		t.Skip("there is no draft")
	}
	return rapid.SampledFrom(drafts).Draw(t, "any draft")
}

// waits reports whether a draft waits for review.
func (r *modelResponse) waits() bool {
	return r.status == sqlc.AIResponseStatusCompleted && r.review == sqlc.AIReviewPending
}

// publish publishes a draft, edited or not, while another one may be running.
func (m *machine) publish(t *rapid.T) {
	r, running := m.draft(t), m.model.running()
	content := rapid.SampledFrom([]string{"", "You get it back."}).Draw(t, "content")
	m.publishAt(t, m.replica(t), r, content)
	m.abandon(running)
	m.settle(t)
}

func (m *machine) publishAt(t *rapid.T, at *modelReplica, r *modelResponse, content string) {
	message, err := at.Publish(m.t.Context(), m.staff, r.id, content)
	if !r.waits() || m.model.closed {
		require.True(t, apperr.Is(err, apperr.NotInReview), "%v", err)
		return
	}
	require.NoError(t, err)
	if content == "" {
		content = textSince(r.log)
	}
	require.Equal(t, content, message.Content)
	m.model.publish(r, content)
}

// discard discards a draft.
func (m *machine) discard(t *rapid.T) {
	r := m.draft(t)
	_, err := m.replica(t).Discard(m.t.Context(), m.staff, r.id)
	switch {
	case r.waits():
		require.NoError(t, err)
		r.review = sqlc.AIReviewDiscarded
	case r.review == sqlc.AIReviewDiscarded:
		require.NoError(t, err)
	default:
		require.True(t, apperr.Is(err, apperr.NotInReview), "%v", err)
	}
	m.settle(t)
}

// verifyReview checks that customers see only published drafts, and that each turn has one current answer.
func (m *machine) verifyReview(t *rapid.T, rows []sqlc.AIResponse) {
	var shown []uuid.UUID
	standing, pending := map[uuid.UUID]int{}, 0
	for _, row := range rows {
		r := m.model.find(func(r *modelResponse) bool { return r.id == row.ID })
		_, err := m.replicas[0].Get(m.t.Context(), m.customer, row.ID)
		require.Equal(t, r.draft, apperr.Is(err, apperr.NotFound), "%v", err)
		if !r.draft {
			shown = append(shown, row.ID)
		}
		if row.Status == sqlc.AIResponseStatusCompleted && row.MessageID != nil {
			turn := uuid.Nil
			if row.TurnMessageID != nil {
				turn = *row.TurnMessageID
			}
			standing[turn]++
			require.Equal(t, 1, standing[turn], "a turn has one current answer")
		}
		if r.waits() {
			pending++
		}
	}
	require.LessOrEqual(t, pending, 1, "one draft waits for review")
	running, err := m.store.FindStreamingAIResponse(m.t.Context(), sqlc.FindStreamingAIResponseParams{
		TicketID: m.ticketID, ActorID: m.customer.ID,
	})
	require.NoError(t, err)
	r := m.model.running()
	require.Equal(t, r != nil && !r.draft, running != uuid.Nil, "a customer's chat resumes no draft")
	list, _, err := m.replicas[0].List(m.t.Context(), m.customer, m.ticketID, page.Page{Limit: 200})
	require.NoError(t, err)
	var listed []uuid.UUID
	for _, row := range list {
		listed = append(listed, row.ID)
	}
	require.Equal(t, shown, listed, "a customer's list has no drafts")
	messages, err := m.tickets.Conversation(m.t.Context(), m.customer, m.ticketID)
	require.NoError(t, err)
	for _, message := range messages[1:] {
		require.True(t, slices.ContainsFunc(m.model.messages, func(s modelMessage) bool {
			return s.content == message.Content && s.author == message.Author && !s.replaced
		}), "a customer's chat has what stands: %s", message.Content)
	}
	require.Zero(t, storetest.QueryInt(m.t, m.url, `
		SELECT count(*) FROM journal_outbox AS j JOIN ai_responses AS r ON r.id = j.subject_id
		WHERE r.ticket_id = $1 AND r.customer_id IS NULL AND j.customer_id IS NOT NULL AND j.type <> 'message.created'`, m.ticketID),
		"a customer's feed has nothing of drafts but the message")
}
