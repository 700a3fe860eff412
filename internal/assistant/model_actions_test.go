package assistant

import (
	"context"
	"slices"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/storetest"
	"github.com/supportbackend/support/internal/ticket"
)

// start requests an answer without reading it.
func (m *machine) start(t *rapid.T) {
	m.startAt(t, m.replica(t), modelAsk{staff: rapid.Bool().Draw(t, "staff"), regenerate: rapid.Bool().Draw(t, "regenerate")})
}

func (m *machine) startAt(t *rapid.T, at *modelReplica, by modelAsk) {
	of, verdict := m.model.ask(by)
	response, started, err := at.Start(m.t.Context(), m.actor(by.staff), m.ticketID, Request{Regenerate: by.regenerate})
	if verdict == begins {
		of = m.began(t)
	}
	switch {
	case of == nil:
		require.True(t, apperr.Is(err, verdict), "%s: %v", verdict, err)
	case of.draft && !by.staff:
		require.True(t, apperr.Is(err, of.hidden()), "%v", err)
	default:
		require.NoError(t, err)
		require.Equal(t, verdict == begins, started)
		require.Equal(t, of.id, response.ID)
	}
}

// send makes the upstream send the next token, or its end.
func (m *machine) send(t *rapid.T) {
	m.sendOne(t, m.running(t))
	m.settle(t)
}

func (m *machine) sendOne(t *rapid.T, r *modelResponse) {
	plan, token := m.plan(r.request), r.sent
	m.simulator.Release(gateOf(r.request, token))
	switch {
	case token < len(plan.tokens):
		m.sent(t, r)
	case plan.breaks:
		r.end(sqlc.AIResponseStatusFailed, apperr.AIProtocol)
	default:
		m.model.complete(r)
	}
	m.untilLogged(t, r)
}

// sent records in the model a token that must be committed.
func (m *machine) sent(t *rapid.T, r *modelResponse) {
	r.add(sqlc.AIEventKindDelta, m.plan(r.request).tokens[r.sent])
	r.sent++
	m.untilHeld(t, r.request, r.sent)
}

// abandon records that the attempt's upstream request is no longer needed, if the step has ended it.
func (m *machine) abandon(r *modelResponse) {
	if r != nil && !r.streaming() {
		m.ghosts = append(m.ghosts, r.request)
	}
}

func (m *machine) cancel(t *rapid.T) {
	if len(m.model.responses) == 0 {
		t.Skip("there is no response")
	}
	r := m.model.responses[rapid.IntRange(0, len(m.model.responses)-1).Draw(t, "response")]
	if r.draft {
		_, err := m.replica(t).Cancel(m.t.Context(), m.customer, r.id)
		require.True(t, apperr.Is(err, apperr.NotFound), "%v", err)
	}
	_, err := m.replica(t).Cancel(m.t.Context(), m.viewer(t, r), r.id)
	require.NoError(t, err)
	if r.streaming() {
		r.end(sqlc.AIResponseStatusCancelled, apperr.Cancelled)
		m.abandon(r)
	}
	m.settle(t)
}

// customerWrites adds the customer's next message. If necessary, it first reopens the ticket and turns the AI on.
func (m *machine) customerWrites(t *rapid.T) {
	running := m.model.running()
	if m.model.closed {
		_, err := m.tickets.AddMessage(m.t.Context(), m.customer, m.ticketID, "Hello?")
		require.True(t, apperr.Is(err, apperr.TicketClosed), "%v", err)
		m.update(t, ticket.Change{Status: sqlc.TicketStatusOpen})
		m.model.closed = false
	}
	if m.model.mode == sqlc.AIModeOff && rapid.Bool().Draw(t, "hand back") {
		m.staffSetMode(t, rapid.SampledFrom([]sqlc.AIMode{sqlc.AIModeAuto, sqlc.AIModeDraft}).Draw(t, "mode"))
	}
	_, err := m.tickets.AddMessage(m.t.Context(), m.customer, m.ticketID, "And another thing.")
	require.NoError(t, err)
	m.model.customerSays("And another thing.")
	m.abandon(running)
	m.settle(t)
}

// customerAsks adds a message and starts its answer in one transaction.
func (m *machine) customerAsks(t *rapid.T) {
	if m.model.closed {
		t.Skip("it is closed")
	}
	running, at := m.model.running(), m.replica(t)
	outcome, err := at.Respond(m.t.Context(), m.customer, m.ticketID, func(ctx context.Context) error {
		_, err := ticket.NewService(at.store, ticket.Options{}).AddMessage(ctx, m.customer, m.ticketID, "And what now?")
		return err
	})
	require.NoError(t, err)
	m.model.customerSays("And what now?")
	m.abandon(running)
	of, verdict := m.model.ask(modelAsk{})
	if verdict == begins {
		of = m.began(t)
	}
	switch {
	case of == nil:
		require.Equal(t, verdict, outcome.Refused.Code)
	case of.draft:
		require.Equal(t, apperr.AIInReview, outcome.Refused.Code)
	case verdict == waits:
		require.Equal(t, Outcome{}, outcome)
	default:
		require.Equal(t, Outcome{ID: of.id}, outcome)
	}
	m.settle(t)
}

// staffStepsIn cancels the AI by a staff reply, by turning the AI off, or by closing the ticket.
func (m *machine) staffStepsIn(t *rapid.T) {
	running := m.model.running()
	switch how := rapid.SampledFrom([]string{"reply", "turn off", "close"}).Draw(t, "how"); {
	case m.model.closed:
		t.Skip("it is closed")
	case how == "close":
		m.update(t, ticket.Change{Status: sqlc.TicketStatusPending}, ticket.Change{Status: sqlc.TicketStatusResolved},
			ticket.Change{Status: sqlc.TicketStatusClosed})
		m.model.close()
	default:
		require.NoError(t, m.interfere(how))
		m.interfered(how)
	}
	m.abandon(running)
	m.settle(t)
}

func (m *machine) update(t *rapid.T, changes ...ticket.Change) {
	for _, change := range changes {
		_, err := m.tickets.Update(m.t.Context(), m.staff, m.ticketID, change, nil)
		require.NoError(t, err)
	}
}

// freeze lets an owner sleep past its lease, and wakes it up after another replica, or the owner itself, has taken
// over.
func (m *machine) freeze(t *rapid.T) {
	m.takeOver(t, m.running(t), m.replica(t), true)
	m.settle(t)
}

// takeOver expires the lease, unless it was released, and runs a replica's reaper. Another replica may be faster.
func (m *machine) takeOver(t *rapid.T, r *modelResponse, by *modelReplica, crashed bool) {
	before := m.row(t, r)
	m.until(t, "somebody takes over", func() bool {
		if crashed {
			_, err := m.store.RenewAIResponseLeases(m.t.Context(), sqlc.RenewAIResponseLeasesParams{
				IDs: []uuid.UUID{r.id}, Attempts: []int32{r.attempt}, OwnerID: *before.OwnerID, LeaseSeconds: -1,
			})
			require.NoError(t, err)
		}
		require.NoError(t, by.writer.TakeOver(m.t.Context()))
		row := m.row(t, r)
		return row.Attempt > r.attempt || row.Status != sqlc.AIResponseStatusStreaming
	})
	m.ghosts = append(m.ghosts, r.request)
	if m.model.takeOver(r, crashed) {
		m.untilHeld(t, r.request, 0)
	}
	m.untilLogged(t, r)
}

// replace ends a replica and starts another one. Either the replica is told to stop without time to finish, so that it
// hands over its answers, or it is killed, so that its writes suddenly no longer reach the database. Its readers are
// disconnected.
func (m *machine) replace(t *rapid.T) {
	killed := rapid.Bool().Draw(t, "killed")
	i := rapid.IntRange(0, len(m.replicas)-1).Draw(t, "replica")
	gone := m.replicas[i]
	if m.opening != nil && m.opening.at == gone {
		m.giveUpOpening()
	}
	for _, r := range m.readers {
		if r.at == gone {
			r.cut()
		}
	}
	r := m.model.running()
	owned := r != nil && m.isOwner(t, r, gone)
	if killed {
		gone.store.Close()
	}
	gone.drainNow()
	gone.store.Close()
	m.replicas[i] = m.newReplica(t)
	if pending := m.model.pending(); owned && killed && pending != nil && rapid.Bool().Draw(t, "published") {
		m.publishAt(t, m.replica(t), pending, "")
		m.abandon(r)
		owned = r.streaming()
	}
	if owned {
		m.takeOver(t, r, m.replica(t), killed)
	}
	m.settle(t)
}

// thaw releases an upstream request that nobody needs any longer. Nothing of it may reach the log or a reader.
func (m *machine) thaw(t *rapid.T) {
	if len(m.ghosts) == 0 {
		t.Skip("there is no ghost")
	}
	i := rapid.IntRange(0, len(m.ghosts)-1).Draw(t, "ghost")
	m.releaseAll(m.ghosts[i])
	m.ghosts = slices.Delete(m.ghosts, i, i+1)
}

func (m *machine) releaseAll(request int) {
	for token := range len(m.plan(request).tokens) + 1 {
		m.simulator.Release(gateOf(request, token))
	}
}

// loseEvents crashes the database, which loses asynchronously committed deltas, and continues.
func (m *machine) loseEvents(t *rapid.T) {
	r := m.running(t)
	if r.unsafe() == 0 {
		m.sendOne(t, r)
		m.settle(t)
	}
	if r.unsafe() == 0 {
		return
	}
	kept := len(r.log) - rapid.IntRange(1, r.unsafe()).Draw(t, "lost")
	storetest.Exec(m.t, m.url, `
		WITH lost AS (DELETE FROM ai_response_events WHERE ai_response_id = $1 AND seq > $2)
		UPDATE ai_responses SET last_seq = $2 WHERE id = $1`, r.id, kept)
	r.damaged = true
	next := rapid.SampledFrom([]string{"send", "send", "freeze", "cancel", "reply"}).Draw(t, "next")
	if next == "send" {
		m.sendOne(t, r) // The owner restores the lost events.
	} else {
		r.log = r.log[:kept]
		switch next {
		case "freeze":
			m.takeOver(t, r, m.replica(t), true)
		case "cancel":
			_, err := m.replica(t).Cancel(m.t.Context(), m.viewer(t, r), r.id)
			require.NoError(t, err)
			r.end(sqlc.AIResponseStatusCancelled, apperr.Cancelled)
			m.abandon(r)
		case "reply":
			require.NoError(t, m.interfere("reply"))
			m.interfered("reply")
			m.abandon(r)
		}
	}
	for _, reader := range m.readers {
		switch {
		case reader.of != r:
		case reader.reader != nil:
			m.readAgain(t, reader)
		case !slices.Equal(reader.seen, r.log[:min(len(reader.seen), len(r.log))]):
			// The id of a lost event is useless once another event has its number.
			reader.seen = nil
		}
	}
	m.settle(t)
}

// finish lets all work end, and checks that all readers have the same events.
func (m *machine) finish(t *rapid.T) {
	for r := m.model.running(); r != nil; r = m.model.running() {
		m.send(t)
	}
	require.Nil(t, m.opening, "a reader still waits after the end")
	for i, r := range m.readers {
		if r.reader == nil {
			m.resumeAt(t, r, m.replicas[i%len(m.replicas)], i%2 == 0)
		}
		if r.reader != nil {
			m.readOn(t, r, len(r.of.log)+1)
			r.cut()
		}
		require.Equal(t, r.of.log, r.seen)
	}
	for _, request := range m.ghosts {
		m.releaseAll(request)
	}
	for _, r := range m.replicas {
		r.drainNow()
	}
	m.until(t, "upstream is left", func() bool {
		return !slices.ContainsFunc(m.simulator.Requests(), func(r groqsim.RequestRecord) bool {
			return r.End == groqsim.EndRunning
		})
	})
	m.verify(t)
}
