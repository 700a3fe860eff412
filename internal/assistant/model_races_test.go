package assistant

import (
	"context"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/testing/storetest"
)

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
	var held time.Time
	err := m.store.InTx(m.t.Context(), func(ctx context.Context) error {
		_, err := m.store.LockTicket(ctx, sqlc.LockTicketParams{ID: m.ticketID, Staff: true})
		require.NoError(t, err)
		held = time.Now()
		first()
		m.untilWaiting(t, "LockTicket", 1)
		second()
		m.untilWaiting(t, "LockTicket", 2)
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
