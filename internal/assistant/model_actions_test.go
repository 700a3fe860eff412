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

// start asks for an answer without reading it.
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

// send lets upstream send the next token, or what comes after the last one.
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

// sent tells the model of a token that must be committed.
func (m *machine) sent(t *rapid.T, r *modelResponse) {
	r.add(sqlc.AIEventKindDelta, m.plan(r.request).tokens[r.sent])
	r.sent++
	m.untilHeld(t, r.request, r.sent)
}

// abandon notes that the answer of upstream to the response's attempt is no longer wanted, if the step has ended it.
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

// customerWrites is the customer's next message, after the ticket was reopened and handed back to the AI if need be.
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

// customerAsks is a message that starts its answer, in one transaction.
func (m *machine) customerAsks(t *rapid.T) {
	if m.model.closed {
		t.Skip("it is closed")
	}
	running, at := m.model.running(), m.replica(t)
	begun, err := at.Respond(m.t.Context(), m.customer, m.ticketID, func(ctx context.Context) error {
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
		require.Equal(t, verdict, begun.Refused.Code)
	case of.draft:
		require.Equal(t, apperr.AIInReview, begun.Refused.Code)
	case verdict == waits:
		require.Equal(t, Begun{}, begun)
	default:
		require.Equal(t, Begun{ID: of.id}, begun)
	}
	m.settle(t)
}

// staffStepsIn is a human who wins over the AI: by a reply, by taking the ticket over, or by closing it.
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
		_, err := m.tickets.Update(m.t.Context(), m.staff, m.ticketID, change, anyVersion)
		require.NoError(t, err)
	}
}

// freeze is an owner that sleeps past its lease, and wakes up when another replica, or it, has taken over.
func (m *machine) freeze(t *rapid.T) {
	m.takeOver(t, m.running(t), m.replica(t), true)
	m.settle(t)
}

// takeOver ends the lease, unless it was given up, and lets a replica's reaper look. Another one may be quicker.
func (m *machine) takeOver(t *rapid.T, r *modelResponse, by *modelReplica, crashed bool) {
	before := m.row(t, r)
	m.until(t, "somebody takes over", func() bool {
		if crashed {
			_, err := m.store.RenewAIResponseLeases(m.t.Context(), sqlc.RenewAIResponseLeasesParams{
				Ids: []uuid.UUID{r.id}, Attempts: []int32{r.attempt}, OwnerID: *before.OwnerID, LeaseSeconds: -1,
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

// replace ends a replica and starts another in its place. It is told to stop and has no time, so that it hands over what
// it writes; or it is killed, and from one moment to the next nothing that it does reaches the database. Its readers are
// cut off.
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

// thaw lets upstream go on with an answer that is no longer wanted: nothing of it may get anywhere.
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

// loseEvents is a crash of the database that loses deltas, which do not wait for the disk, and what happens next.
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
		m.sendOne(t, r) // The owner puts back what was lost.
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
			m.readAnew(t, reader)
		case !slices.Equal(reader.seen, r.log[:min(len(reader.seen), len(r.log))]):
			// The id of a lost event says nothing once another one has its number.
			reader.seen = nil
		}
	}
	m.settle(t)
}

// finish lets everything come to its end, and checks that everybody has the same.
func (m *machine) finish(t *rapid.T) {
	for r := m.model.running(); r != nil; r = m.model.running() {
		m.send(t)
	}
	require.Nil(t, m.opening, "nobody waits for what has ended")
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

// anyVersion accepts a ticket as it is.
func anyVersion(int64) bool { return true }
