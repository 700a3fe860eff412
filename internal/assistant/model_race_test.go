package assistant

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/testing/storetest"
	"github.com/supportbackend/support/internal/ticket"
)

// interfere lets a human reply, publish the draft that waits for review, or take the ticket over.
func (m *machine) interfere(how string) (err error) {
	switch how {
	case "reply":
		_, err = m.tickets.AddMessage(m.t.Context(), m.staff, m.ticketID, "I am on it.")
	case "publish":
		_, err = m.replicas[0].Publish(m.t.Context(), m.staff, m.model.pending().id, "You get it back.")
	default:
		_, err = m.tickets.Update(m.t.Context(), m.staff, m.ticketID, ticket.Change{AIMode: sqlc.AIModeOff}, nil)
	}
	return err
}

// interfered records in the model what interfere has done.
func (m *machine) interfered(how string) {
	switch how {
	case "reply":
		m.model.staffSays("I am on it.")
	case "publish":
		m.model.publish(m.model.pending(), "You get it back.")
	default:
		m.model.setMode(sqlc.AIModeOff)
		m.model.modeBefore = ""
	}
}

// untilWaiting waits until this many sessions wait for a lock in queries whose names begin with query.
func (m *machine) untilWaiting(t *rapid.T, query string, sessions int) {
	m.until(t, query+" waits for its lock", func() bool {
		return storetest.QueryInt(m.t, m.url, `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock' AND query ~ ('^-- name: (' || $1 || ')')`,
			query) >= sessions
	})
}

// holdCommit sends a token whose commit must wait. No reader may get it before the commit, or at all if the commit
// fails.
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
				ID: r.id, ActorID: m.staff.ID, ActorKind: m.staff.Kind(), Staff: true,
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

// raceEnd makes a human and the end of an answer wait for the ticket's lock, in either order. The first one wins.
func (m *machine) raceEnd(t *rapid.T) {
	if m.model.running() == nil && rapid.Bool().Draw(t, "replaces a draft") {
		m.waiting(t)
	}
	r := m.running(t)
	if m.plan(r.request).breaks {
		return
	}
	for r.sent < len(m.plan(r.request).tokens) {
		m.sendOne(t, r)
		m.settle(t)
	}
	hows := []string{"reply", "turn off"}
	if m.model.pending() != nil {
		hows = []string{"publish", "reply", "turn off"}
	}
	how := rapid.SampledFrom(hows).Draw(t, "how")
	human := make(chan error, 1)
	first, second := func() { go func() { human <- m.interfere(how) }() }, func() { m.simulator.Release(gateOf(r.request, r.sent)) }
	humanFirst := rapid.Bool().Draw(t, "human first")
	if !humanFirst {
		first, second = second, first
		// A reader that waits for this end would request the next answer, before or after the human.
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
	if time.Since(held) > modelLockWait && !apperr.Is(err, apperr.DBBusy) {
		// The end may also have timed out; it then waits behind the human.
		m.until(t, "the answer ends", func() bool { return m.row(t, r).Status != sqlc.AIResponseStatusStreaming })
		humanFirst = m.row(t, r).ErrorCode != nil
	}
	switch {
	case apperr.Is(err, apperr.DBBusy):
		// On a very slow machine, the human's lock times out and nothing is done.
		m.model.complete(r)
	case how == "publish" && !humanFirst:
		require.True(t, apperr.Is(err, apperr.NotInReview), "another draft has taken its place: %v", err)
		m.model.complete(r)
	default:
		require.NoError(t, err)
		if !humanFirst {
			m.model.complete(r)
		}
		m.interfered(how)
	}
	m.untilLogged(t, r)
	m.settle(t)
}
