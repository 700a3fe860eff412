package assistant

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant/writer"
)

// modelTicket is the expected state of a ticket, its messages and its responses.
type modelTicket struct {
	closed bool
	mode   sqlc.AIMode
	// modeBefore is the mode that the customer may restore, or empty.
	modeBefore sqlc.AIMode
	handedOff  bool
	// staffLast is true if the newest human message is from staff.
	staffLast bool
	// turn counts the customer's messages after the description.
	turn      int
	messages  []modelMessage
	responses []*modelResponse
	// requests counts the upstream requests, one per attempt.
	requests int
}

type modelMessage struct {
	author  sqlc.MessageAuthor
	content string
	// replaced is true if another answer to the same turn has replaced it.
	replaced bool
}

// modelResponse is the expected state of a response.
type modelResponse struct {
	id      uuid.UUID
	turn    int
	status  sqlc.AIResponseStatus
	attempt int32
	crashes int
	log     []modelEvent
	// message is its index among the ticket's messages, or -1.
	message int
	// draft is true if staff review it; review is the result, once it is complete.
	draft  bool
	review sqlc.AIReview
	// damaged is true after the database has lost events. A replica may still have them in memory.
	damaged bool
	// request is the upstream request of the current attempt; sent is the number of tokens that it has sent.
	request, sent int
}

// modelEvent is an event in a log. Its number is its position.
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

// unsafe returns how many deltas at the end of the log a crash of the database may lose: those after the last
// synchronous commit.
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

// verdict is the expected result of a request for an answer: one of these, or an error's code.
type verdict = apperr.Code

const (
	joins  verdict = "joins"
	waits  verdict = "waits"
	begins verdict = "begins"
)

// modelAsk is a request for an answer.
type modelAsk struct{ staff, reading, regenerate bool }

// ask returns the expected result of a request for an answer.
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

// hidden returns the error of a customer who asks for an answer that is or was a draft.
func (r *modelResponse) hidden() apperr.Code {
	if r.message >= 0 {
		return apperr.NothingToAnswer
	}
	return apperr.AIInReview
}

// running returns the running response, or nil.
func (m *modelTicket) running() *modelResponse {
	return m.find(func(r *modelResponse) bool { return r.streaming() })
}

// standing returns the current answer to a turn, or nil.
func (m *modelTicket) standing(turn int) *modelResponse {
	return m.find(func(r *modelResponse) bool {
		return r.status == sqlc.AIResponseStatusCompleted && r.turn == turn && r.message >= 0
	})
}

// draft returns the newest draft for the turn that waits for review or was discarded, or nil.
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

// pending returns the draft that waits for review, or nil.
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

// begin adds a response to the turn.
func (m *modelTicket) begin(id uuid.UUID) *modelResponse {
	r := &modelResponse{
		id: id, turn: m.turn, status: sqlc.AIResponseStatusStreaming, attempt: 1, request: m.requests, message: -1,
		draft: m.mode == sqlc.AIModeDraft,
	}
	m.requests++
	m.responses = append(m.responses, r)
	return r
}

// takeOver starts the response over, or fails it if its owners have crashed too often. A hand-over is not a crash. It
// reports whether the response continues.
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

// complete completes the response: a draft replaces the one that waits for review; anything else becomes a message.
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

// store adds the response's message, which replaces the current answer.
func (m *modelTicket) store(r *modelResponse, content string) {
	if before := m.standing(r.turn); before != nil {
		before.status = sqlc.AIResponseStatusSuperseded
		m.messages[before.message].replaced = true
	}
	r.status, r.message = sqlc.AIResponseStatusCompleted, len(m.messages)
	m.messages = append(m.messages, modelMessage{author: sqlc.MessageAuthorAI, content: content})
}

// publish adds the draft's message, and supersedes other running answers.
func (m *modelTicket) publish(r *modelResponse, content string) {
	if running := m.running(); running != nil {
		running.end(sqlc.AIResponseStatusSuperseded, apperr.Superseded)
	}
	m.store(r, content)
	r.review = sqlc.AIReviewPublished
}

// supersede ends the running answer and a draft that waits for review. byCustomer keeps an answer of which customers
// may have seen a part.
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

// setMode changes the mode, which supersedes answers that were started in the old mode.
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
