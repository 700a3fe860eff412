package assistant

import (
	"context"
	"slices"
	"time"

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
	m.startAt(t, m.replica(t), rapid.Bool().Draw(t, "regenerate"))
}

func (m *machine) startAt(t *rapid.T, at *modelReplica, regenerate bool) {
	of, verdict := m.model.ask(regenerate)
	response, started, err := at.Start(m.t.Context(), m.customer, m.ticketID, Request{Regenerate: regenerate})
	switch verdict {
	case begins:
		require.NoError(t, err)
		require.True(t, started)
		require.Equal(t, response.ID, m.began(t).id)
	case joins, waits:
		require.NoError(t, err)
		require.False(t, started)
		require.Equal(t, of.id, response.ID)
	default:
		require.True(t, apperr.Is(err, verdict), "%s: %v", verdict, err)
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
	_, err := m.replica(t).Cancel(m.t.Context(), m.customer, r.id)
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
	if m.model.off && rapid.Bool().Draw(t, "hand back") {
		m.update(t, ticket.Change{AIMode: sqlc.AIModeAuto})
		m.model.off = false
	}
	_, err := m.tickets.AddMessage(m.t.Context(), m.customer, m.ticketID, "And another thing.")
	require.NoError(t, err)
	m.model.customerSays("And another thing.")
	m.abandon(running)
	m.settle(t)
}

// staffStepsIn is a human who wins over the AI: by a reply, by taking the ticket over, or by closing it.
func (m *machine) staffStepsIn(t *rapid.T) {
	running := m.model.running()
	switch how := rapid.SampledFrom([]string{"reply", "hand off", "close"}).Draw(t, "how"); {
	case m.model.closed:
		t.Skip("it is closed")
	case how == "close":
		m.update(t, ticket.Change{Status: sqlc.TicketStatusPending}, ticket.Change{Status: sqlc.TicketStatusResolved},
			ticket.Change{Status: sqlc.TicketStatusClosed})
		m.model.close()
	default:
		require.NoError(t, m.interfere(how == "reply"))
		m.interfered(how == "reply")
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

// interfere is a human who replies, or takes the ticket over.
func (m *machine) interfere(reply bool) (err error) {
	if reply {
		_, err = m.tickets.AddMessage(m.t.Context(), m.staff, m.ticketID, "I am on it.")
	} else {
		_, err = m.tickets.Update(m.t.Context(), m.staff, m.ticketID, ticket.Change{AIMode: sqlc.AIModeOff}, anyVersion)
	}
	return err
}

// interfered tells the model of what interfere has done.
func (m *machine) interfered(reply bool) {
	if reply {
		m.model.staffSays("I am on it.")
	} else {
		m.model.handOff()
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

// untilWaiting waits until so many sessions wait for a lock in queries whose names begin so.
func (m *machine) untilWaiting(t *rapid.T, query string, sessions int) {
	m.until(t, query+" waits for its lock", func() bool {
		return storetest.QueryInt(m.t, m.url, `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock' AND query ~ ('^-- name: (' || $1 || ')')`,
			query) >= sessions
	})
}

// holdCommit sends a token whose commit has to wait: nobody is given it before it is committed, nor if it never is.
func (m *machine) holdCommit(t *rapid.T) {
	r := m.running(t)
	if r.sent == len(m.plan(r.request).tokens) {
		return
	}
	cancel := rapid.Bool().Draw(t, "cancel")
	row := m.row(t, r)
	err := m.store.InTx(m.t.Context(), func(ctx context.Context) error {
		_, err := m.store.UpdateAIResponseModel(ctx, sqlc.UpdateAIResponseModelParams{
			ID: r.id, OwnerID: *row.OwnerID, Attempt: row.Attempt, Model: row.Model,
		})
		require.NoError(t, err)
		m.simulator.Release(gateOf(r.request, r.sent))
		m.untilWaiting(t, "CommitDeltas", 1)
		for _, reader := range m.readers {
			if reader.of == r && reader.reader != nil {
				m.readOn(t, reader, len(r.log)+1)
			}
		}
		if cancel {
			_, err = m.store.CancelAIResponse(ctx, sqlc.CancelAIResponseParams{
				ID: r.id, ActorID: m.customer.ID, ActorKind: m.customer.Kind(),
			})
		}
		return err
	})
	require.NoError(t, err)
	if cancel {
		r.end(sqlc.AIResponseStatusCancelled, apperr.Cancelled)
		m.abandon(r)
	} else {
		m.sent(t, r)
	}
	m.untilLogged(t, r)
	m.settle(t)
}

// raceEnd lets a human and the end of an answer wait for the ticket at the same time, in either order: whoever comes first
// wins.
func (m *machine) raceEnd(t *rapid.T) {
	r := m.running(t)
	if m.plan(r.request).breaks {
		return
	}
	for r.sent < len(m.plan(r.request).tokens) {
		m.sendOne(t, r)
		m.settle(t)
	}
	reply := rapid.Bool().Draw(t, "reply")
	human := make(chan error, 1)
	first, second := func() { go func() { human <- m.interfere(reply) }() }, func() { m.simulator.Release(gateOf(r.request, r.sent)) }
	humanFirst := rapid.Bool().Draw(t, "human first")
	if !humanFirst {
		first, second = second, first
		// A reader who waits for this end asks for the next answer at once, and may come before the human or after.
		m.giveUpOpening()
	}
	const locking = "LockTicket|CreateMessage"
	var held time.Time
	err := m.store.InTx(m.t.Context(), func(ctx context.Context) error {
		_, err := m.store.LockTicket(ctx, sqlc.LockTicketParams{ID: m.ticketID, Staff: true})
		require.NoError(t, err)
		held = time.Now()
		first()
		m.untilWaiting(t, locking, 1)
		second()
		m.untilWaiting(t, locking, 2)
		return nil
	})
	require.NoError(t, err)
	err = <-human
	switch {
	case apperr.Is(err, apperr.DBBusy):
		// On a machine this slow the human has waited for too long, and has done nothing.
		m.model.complete(r)
	case time.Since(held) > modelLockWait:
		require.NoError(t, err)
		// The end may have waited for too long as well, and then it waits behind the human.
		m.until(t, "the answer ends", func() bool { return m.row(t, r).Status != sqlc.AIResponseStatusStreaming })
		humanFirst = m.row(t, r).Status == sqlc.AIResponseStatusSuperseded
		fallthrough
	default:
		require.NoError(t, err)
		if !humanFirst {
			m.model.complete(r)
		}
		m.interfered(reply)
	}
	m.untilLogged(t, r)
	m.settle(t)
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
			_, err := m.replica(t).Cancel(m.t.Context(), m.customer, r.id)
			require.NoError(t, err)
			r.end(sqlc.AIResponseStatusCancelled, apperr.Cancelled)
			m.abandon(r)
		case "reply":
			require.NoError(t, m.interfere(true))
			m.interfered(true)
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
