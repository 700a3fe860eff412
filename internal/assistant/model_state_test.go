package assistant

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant/writer"
)

// modelTicket is what must be true of a ticket, its messages and its responses.
type modelTicket struct {
	closed bool
	mode   sqlc.AIMode
	// modeBefore is what the customer may turn the AI back to; empty is nothing.
	modeBefore sqlc.AIMode
	handedOff  bool
	// staffLast says that the newest human message is by staff.
	staffLast bool
	// turn counts what the customer has said after the description.
	turn      int
	messages  []modelMessage
	responses []*modelResponse
	// requests counts what was asked of upstream: once for an attempt.
	requests int
}

type modelMessage struct {
	author  sqlc.MessageAuthor
	content string
	// replaced says that another answer to the same turn took its place.
	replaced bool
}

// modelResponse is what must be true of a response.
type modelResponse struct {
	id      uuid.UUID
	turn    int
	status  sqlc.AIResponseStatus
	attempt int32
	crashes int
	log     []modelEvent
	// message is its place among the ticket's messages, or -1.
	message int
	// draft says that staff review it, and review what has become of that, once it is complete.
	draft  bool
	review sqlc.AIReview
	// damaged says that the database has lost events of it once. A replica may have those until it looks.
	damaged bool
	// request is the upstream request of the current attempt, and sent how many tokens that was let send.
	request, sent int
}

// modelEvent is an event in a log. Its number is its place.
type modelEvent struct {
	kind    sqlc.AIEventKind
	attempt int32
	content string
}

func (e modelEvent) isEnd() bool {
	return e.kind == sqlc.AIEventKindDone || e.kind == sqlc.AIEventKindFailed
}

// textSince joins the deltas after the last reset.
func textSince(log []modelEvent) string {
	var text strings.Builder
	for _, e := range log {
		switch e.kind {
		case sqlc.AIEventKindDelta:
			text.WriteString(e.content)
		case sqlc.AIEventKindReset:
			text.Reset()
		case sqlc.AIEventKindDone, sqlc.AIEventKindFailed:
		}
	}
	return text.String()
}

func (r *modelResponse) streaming() bool { return r.status == sqlc.AIResponseStatusStreaming }

func (r *modelResponse) add(kind sqlc.AIEventKind, content string) {
	r.log = append(r.log, modelEvent{kind: kind, attempt: r.attempt, content: content})
}

// unsafe is how many deltas at the end of the log a crash of the database may lose: those after the last commit that
// waited for the disk.
func (r *modelResponse) unsafe() int {
	n := 0
	for _, e := range slices.Backward(r.log) {
		if e.kind != sqlc.AIEventKindDelta {
			break
		}
		n++
	}
	return n
}

// end ends the response without a message.
func (r *modelResponse) end(status sqlc.AIResponseStatus, code apperr.Code) {
	r.status = status
	r.add(sqlc.AIEventKindFailed, string(code))
}

// verdict is what asking for an answer must lead to: one of these, or an error's code.
type verdict = apperr.Code

const (
	joins  verdict = "joins"
	waits  verdict = "waits"
	begins verdict = "begins"
)

// modelAsk is who asks for an answer, and how.
type modelAsk struct{ staff, reading, regenerate bool }

// ask says what asking for an answer leads to.
func (m *modelTicket) ask(by modelAsk) (*modelResponse, verdict) {
	running := m.running()
	if running != nil && running.turn == m.turn {
		return running, joins
	}
	standing, draft := m.standing(m.turn), m.draft()
	switch {
	case standing != nil && !by.staff && !by.regenerate:
		return standing, joins
	case draft != nil && (!by.staff || by.reading || draft.review == sqlc.AIReviewPending && !by.regenerate):
		return draft, joins
	case standing != nil && !by.regenerate:
		return standing, joins
	case running != nil:
		return running, waits
	case m.closed:
		return nil, apperr.TicketClosed
	case m.staffLast:
		return nil, apperr.NothingToAnswer
	case m.handedOff:
		return nil, apperr.HandedOff
	case m.mode == sqlc.AIModeOff:
		return nil, apperr.AIDisabled
	}
	return nil, begins
}

// hidden is what a customer is told who asks for the answer that is a draft, or was one.
func (r *modelResponse) hidden() apperr.Code {
	if r.message >= 0 {
		return apperr.NothingToAnswer
	}
	return apperr.AIInReview
}

// running is the one response that is being written, or nil.
func (m *modelTicket) running() *modelResponse {
	return m.find(func(r *modelResponse) bool { return r.streaming() })
}

// standing is the one answer to a turn that stands, or nil.
func (m *modelTicket) standing(turn int) *modelResponse {
	return m.find(func(r *modelResponse) bool {
		return r.status == sqlc.AIResponseStatusCompleted && r.turn == turn && r.message >= 0
	})
}

// draft is the newest one to the turn that waits for review or was discarded, or nil.
func (m *modelTicket) draft() *modelResponse {
	if m.mode != sqlc.AIModeDraft {
		return nil
	}
	for _, r := range slices.Backward(m.responses) {
		if r.turn == m.turn && r.status == sqlc.AIResponseStatusCompleted &&
			(r.review == sqlc.AIReviewPending || r.review == sqlc.AIReviewDiscarded) {
			return r
		}
	}
	return nil
}

// pending is the one draft that waits for review, or nil.
func (m *modelTicket) pending() *modelResponse {
	return m.find(func(r *modelResponse) bool {
		return r.status == sqlc.AIResponseStatusCompleted && r.review == sqlc.AIReviewPending
	})
}

func (m *modelTicket) find(match func(*modelResponse) bool) *modelResponse {
	if i := slices.IndexFunc(m.responses, match); i >= 0 {
		return m.responses[i]
	}
	return nil
}

// begin makes a response to the turn.
func (m *modelTicket) begin(id uuid.UUID) *modelResponse {
	r := &modelResponse{
		id: id, turn: m.turn, status: sqlc.AIResponseStatusStreaming, attempt: 1, request: m.requests, message: -1,
		draft: m.mode == sqlc.AIModeDraft,
	}
	m.requests++
	m.responses = append(m.responses, r)
	return r
}

// takeOver starts the response over, or gives it up when its owners have crashed often enough: one that hands over has
// not. It returns whether it goes on.
func (m *modelTicket) takeOver(r *modelResponse, crashed bool) bool {
	if crashed {
		r.crashes++
	}
	if r.crashes == writer.MaxAttempts {
		r.end(sqlc.AIResponseStatusFailed, apperr.AITimeout)
		return false
	}
	r.attempt++
	r.add(sqlc.AIEventKindReset, "")
	r.request, r.sent = m.requests, 0
	m.requests++
	return true
}

// complete ends the response: a draft waits for review, in place of the one that did, and anything else is a message.
func (m *modelTicket) complete(r *modelResponse) {
	if r.draft {
		if before := m.pending(); before != nil {
			before.status = sqlc.AIResponseStatusSuperseded
		}
		r.status, r.review = sqlc.AIResponseStatusCompleted, sqlc.AIReviewPending
	} else {
		m.store(r, textSince(r.log))
	}
	r.add(sqlc.AIEventKindDone, "")
}

// store makes a message of the response, in place of the answer that stood.
func (m *modelTicket) store(r *modelResponse, content string) {
	if before := m.standing(r.turn); before != nil {
		before.status = sqlc.AIResponseStatusSuperseded
		m.messages[before.message].replaced = true
	}
	r.status, r.message = sqlc.AIResponseStatusCompleted, len(m.messages)
	m.messages = append(m.messages, modelMessage{author: sqlc.MessageAuthorAI, content: content})
}

// publish makes a message of a draft. What else is being written is no longer wanted.
func (m *modelTicket) publish(r *modelResponse, content string) {
	if running := m.running(); running != nil {
		running.end(sqlc.AIResponseStatusSuperseded, apperr.Superseded)
	}
	m.store(r, content)
	r.review = sqlc.AIReviewPublished
}

// supersede ends what is being written, and a draft that waits for review; byCustomer leaves alone what customers can have seen
// something of.
func (m *modelTicket) supersede(byCustomer bool) {
	if r := m.running(); r != nil && (!byCustomer || len(r.log) == 0 || r.draft) {
		r.end(sqlc.AIResponseStatusSuperseded, apperr.Superseded)
	}
	if r := m.pending(); r != nil {
		r.status = sqlc.AIResponseStatusSuperseded
	}
}

func (m *modelTicket) customerSays(content string) {
	m.supersede(true)
	m.turn++
	m.staffLast = false
	m.messages = append(m.messages, modelMessage{author: sqlc.MessageAuthorCustomer, content: content})
}

func (m *modelTicket) staffSays(content string) {
	m.supersede(false)
	m.staffLast = true
	m.messages = append(m.messages, modelMessage{author: sqlc.MessageAuthorAgent, content: content})
}

// setMode is a change of the mode, which fences what was begun in the other one.
func (m *modelTicket) setMode(mode sqlc.AIMode) {
	if mode != m.mode {
		m.supersede(false)
	}
	m.mode = mode
	if mode != sqlc.AIModeOff {
		m.handedOff = false
	}
}

func (m *modelTicket) handOff() {
	m.setMode(sqlc.AIModeOff)
	m.modeBefore, m.handedOff = "", true
}

func (m *modelTicket) close() {
	m.supersede(false)
	m.closed = true
}
