package ticket

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/testing/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// counter is a desk with one ticket, whose customer writes faster than PostgreSQL commits.
type counter struct {
	*Service
	url      string
	ticketID uuid.UUID
	customer auth.Actor
}

func newCounter(t *testing.T, budget Budget) *counter {
	t.Helper()
	url := storetest.NewURL(t)
	c := &counter{Service: NewService(storetest.Open(t, url), Options{Budget: budget}), url: url}
	c.customer = c.newActor(t, auth.RoleUser)
	c.ticketID = c.newTicket(t, c.customer)
	return c
}

func (c *counter) newActor(t *testing.T, role auth.Role) auth.Actor {
	t.Helper()
	a := auth.Actor{ID: uuid.New(), Role: role}
	storetest.Exec(t, c.url, "INSERT INTO users (id, email, password_hash, role) VALUES ($1, $2, 'x', $3)", a.ID, a.ID.String(), role)
	return a
}

func (c *counter) newTicket(t *testing.T, of auth.Actor) uuid.UUID {
	t.Helper()
	id := uuid.New()
	storetest.Exec(t, c.url, "INSERT INTO tickets (id, user_id, title, description) VALUES ($1, $2, 'A title', 'A text')", id, of.ID)
	return id
}

// outcome is the result of adding a message.
type outcome struct {
	Message
	err error
}

// say starts to add a message, and returns when the queue has this many waiting messages.
func (c *counter) say(t *testing.T, ctx context.Context, content string, waiting int) <-chan outcome { //nolint:revive // The test comes first.
	t.Helper()
	result := make(chan outcome, 1)
	go func() {
		m, err := c.AddMessage(ctx, c.customer, c.ticketID, content)
		result <- outcome{m, err}
	}()
	require.Eventually(t, func() bool { return c.waiting() == waiting }, time.Minute, time.Millisecond)
	return result
}

// waiting returns the number of messages that wait in the queue, or -1 if no message is being written.
func (c *counter) waiting() int {
	c.queue.mu.Lock()
	defer c.queue.mu.Unlock()
	l := c.queue.lines[place{c.ticketID, c.customer.ID, sqlc.ActorKindCustomer}]
	if l == nil || len(l.turn) == 0 {
		return -1
	}
	return len(l.waiting)
}

// gather makes a first message wait for the database, and the others for the first one, until release is called.
func (c *counter) gather(t *testing.T, contents ...string) (results []<-chan outcome, release func()) {
	t.Helper()
	release = storetest.LockTable(t, c.url, "tickets")
	results = append(results, c.say(t, t.Context(), "first", 0))
	for i, content := range contents {
		results = append(results, c.say(t, t.Context(), content, i+1))
	}
	return results, release
}

func (c *counter) contents(t *testing.T) string {
	t.Helper()
	return storetest.QueryText(t, c.url, "SELECT coalesce(string_agg(content, ' ' ORDER BY created_at), '') FROM messages")
}

func TestWaitingMessagesShareATransaction(t *testing.T) {
	t.Parallel()
	c := newCounter(t, Budget{Messages: 100})
	results, release := c.gather(t, "a", "b", "c", "d", "e")
	release()
	for _, result := range results {
		r := <-result
		require.NoError(t, r.err)
		require.Equal(t, c.customer.ID, *r.AuthorID)
	}
	require.Equal(t, "first a b c d e", c.contents(t))
	require.Equal(t, 2, storetest.QueryInt(t, c.url, "SELECT count(DISTINCT xmin::text) FROM messages"), "transactions")
	require.Equal(t, "first a b c d e", storetest.QueryText(t, c.url, `SELECT string_agg(m.content, ' ' ORDER BY o.id)
		FROM journal_outbox AS o JOIN messages AS m ON m.id = o.subject_id WHERE o.type = 'message.created'`))
	require.Equal(t, 7, storetest.QueryInt(t, c.url, "SELECT version FROM tickets"))
	require.Equal(t, 6, storetest.QueryInt(t, c.url, "SELECT messages FROM daily_usage"))
	require.Empty(t, c.queue.lines)
}

func TestEachMessageOfATransactionHasItsOwnResult(t *testing.T) {
	t.Parallel()
	c := newCounter(t, Budget{Messages: 3})
	results, release := c.gather(t, "a", "b", "beyond the budget", "so is this")
	release()
	for i, result := range results {
		r := <-result
		if i < 3 {
			require.NoError(t, r.err)
			require.Equal(t, []string{"first", "a", "b"}[i], r.Content)
		} else {
			require.True(t, apperr.Is(r.err, apperr.RateLimited), "%v", r.err)
		}
	}
	require.Equal(t, "first a b", c.contents(t))
}

func TestRefusedMessageDoesNotFailOthers(t *testing.T) {
	t.Parallel()
	c := newCounter(t, Budget{})
	results, release := c.gather(t, "a", "\x00", strings.Repeat("x", 10_001), "b")
	release()
	require.NoError(t, (<-results[0]).err)
	require.NoError(t, (<-results[1]).err)
	require.True(t, apperr.Is((<-results[2]).err, apperr.ValidationFailed))
	require.Error(t, (<-results[3]).err)
	require.NoError(t, (<-results[4]).err)
	require.Equal(t, "first a b", c.contents(t))
}

func TestQueuedMessageIsDroppedWhenItsSenderLeaves(t *testing.T) {
	t.Parallel()
	c := newCounter(t, Budget{})
	release := storetest.LockTable(t, c.url, "tickets")
	writing, hangUpFirst := context.WithCancel(t.Context())
	first := c.say(t, writing, "first", 0)
	a := c.say(t, t.Context(), "a", 1)
	queued, hangUp := context.WithCancel(t.Context())
	gone := c.say(t, queued, "gone", 2)
	b := c.say(t, t.Context(), "b", 3)
	hangUp()
	require.ErrorIs(t, (<-gone).err, context.Canceled, "at once")
	storetest.AwaitWaiting(t, c.url, 1) // Its statement has begun.
	hangUpFirst()
	release()
	for _, result := range []<-chan outcome{first, a, b} {
		require.NoError(t, (<-result).err, "a sender that leaves does not cancel the shared statement")
	}
	require.Equal(t, "first a b", c.contents(t))
}

func TestQueueSurvivesALostConnection(t *testing.T) {
	t.Parallel()
	c := newCounter(t, Budget{})
	results, release := c.gather(t)
	results = append(results, c.say(t, t.Context(), "a", 1), c.say(t, t.Context(), "b", 2))
	for _, query := range []string{"CreateMessage ", "CreateMessages "} {
		waits := "FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '-- name: " + query + "%'"
		require.Eventually(t, func() bool {
			return storetest.QueryInt(t, c.url, "SELECT count(pg_terminate_backend(pid)) "+waits) == 1
		}, time.Minute, 5*time.Millisecond)
	}
	for _, result := range results {
		err := (<-result).err
		require.True(t, apperr.Is(err, apperr.DBUnavailable), "%v", err)
	}
	release()
	require.Empty(t, c.contents(t), "no message was acknowledged")
	_, err := c.AddMessage(t.Context(), c.customer, c.ticketID, "after")
	require.NoError(t, err)
}

// Senders write, disconnect and close the ticket at the same time. Every acknowledged message exists once, in the order
// of its author's requests, with its journal entry and its share of the budget. No refused message exists.
func TestQueueInvariantsUnderLoad(t *testing.T) {
	t.Parallel()
	const budget, each = 60, 30
	c := newCounter(t, Budget{Messages: budget})
	busy, closed := c.ticketID, c.newTicket(t, c.customer)
	agent := c.newActor(t, auth.RoleAgent)
	var writers sync.WaitGroup
	var mu sync.Mutex
	acknowledged := map[string]int{}
	var cancelled, spent, afterClosing atomic.Int32
	for n := range 8 {
		author, ticketID := c.customer, busy
		switch n {
		case 0, 1:
			author = agent
		case 2:
			ticketID = closed
		}
		writers.Go(func() {
			for i := range each {
				ctx, hangUp := context.WithCancel(t.Context())
				if i%5 == 4 {
					time.AfterFunc(rand.N(3*time.Millisecond), hangUp)
				}
				content := fmt.Sprintf("%d %04d", n, i)
				m, err := c.AddMessage(ctx, author, ticketID, content)
				hangUp()
				switch {
				case err == nil:
					mu.Lock()
					acknowledged[content]++
					mu.Unlock()
					if m.Content != content {
						t.Errorf("the response to %q has %q", content, m.Content)
					}
				case apperr.Is(err, apperr.RateLimited):
					spent.Add(1)
				case apperr.Is(err, apperr.TicketClosed):
					afterClosing.Add(1)
				default:
					cancelled.Add(1)
					if ctx.Err() == nil {
						t.Errorf("%q: %v", content, err)
					}
				}
			}
		})
	}
	storetest.Exec(t, c.url, "UPDATE tickets SET status = 'closed', resolved_at = now() WHERE id = $1", closed)
	writers.Wait()

	require.Equal(t, len(acknowledged), storetest.QueryInt(t, c.url, "SELECT count(*) FROM messages"))
	for content, times := range acknowledged {
		require.Equal(t, 1, times, content)
		require.Equal(t, 1, storetest.QueryInt(t, c.url, "SELECT count(*) FROM messages WHERE content = $1", content))
	}
	require.Zero(t, storetest.QueryInt(t, c.url, `SELECT count(*) FROM (
		SELECT content, lag(content) OVER (PARTITION BY ticket_id, left(content, 1) ORDER BY created_at) AS before FROM messages
	) AS m WHERE m.content < m.before`), "the order of an author's requests")
	require.Zero(t, storetest.QueryInt(t, c.url, `SELECT count(*) FROM (
		SELECT m.created_at, lag(m.created_at) OVER (PARTITION BY m.ticket_id ORDER BY o.id) AS before
		FROM messages AS m LEFT JOIN journal_outbox AS o ON o.subject_id = m.id
	) AS m WHERE m.created_at <= m.before`), "the order of the journal")
	require.Equal(t, len(acknowledged), storetest.QueryInt(t, c.url, "SELECT count(*) FROM journal_outbox WHERE type = 'message.created'"))
	require.Equal(t, budget, storetest.QueryInt(t, c.url, "SELECT messages FROM daily_usage"))
	require.Equal(t, budget, storetest.QueryInt(t, c.url, "SELECT count(*) FROM messages WHERE author = 'customer'"))
	require.Positive(t, spent.Load())
	require.Positive(t, afterClosing.Load())
	require.Empty(t, c.queue.lines)
}
