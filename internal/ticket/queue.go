package ticket

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/store"
)

// maxTogether bounds the messages of one statement, which holds the ticket's lock while it writes them.
const maxTogether = 64

// queue is a group commit: one statement writes all messages of an author for a ticket that arrived while the previous
// one ran. Each message locks the ticket until its commit is flushed, so they would wait for each other anyway. In the
// queue, they wait without a connection and share a flush. A message is written at once if no other one is being
// written.
type queue struct {
	store *store.Store

	mu    sync.Mutex
	lines map[place]*line
}

// place identifies a line: an author and a ticket. All messages of a line count towards one budget, so a statement
// never locks the budgets of two accounts.
type place struct {
	ticketID, actorID uuid.UUID
	kind              sqlc.ActorKind
}

// line holds the messages of one place. It exists as long as there are any.
type line struct {
	// turn is held by the caller who writes. The longest waiting caller gets it next.
	turn chan struct{}
	// waiting are the messages that nobody is writing yet, in order of arrival.
	waiting []*queued
	// present counts the callers who wait or write.
	present int
}

// queued is a message. Its result is set when done is closed.
type queued struct {
	params  sqlc.CreateMessageParams
	done    chan struct{}
	message sqlc.Message
	err     error
}

// errUnwritten is the error of a message whose statement panicked.
var errUnwritten = errors.New("ticket: the message was not written")

func newQueue(s *store.Store) *queue {
	return &queue{store: s, lines: make(map[place]*line)}
}

// create writes a message as CreateMessage does. It writes messages of one place in the order of the calls. If ctx ends
// before the message's statement begins, the message is not written.
func (q *queue) create(ctx context.Context, m sqlc.CreateMessageParams) (sqlc.Message, error) {
	if ctx.Err() != nil {
		return sqlc.Message{}, ctx.Err()
	}
	at, it := place{m.TicketID, m.ActorID, m.ActorKind}, &queued{params: m, done: make(chan struct{}), err: errUnwritten}
	l := q.enter(at, it)
	defer q.leave(at, l)
	for {
		select {
		case l.turn <- struct{}{}:
			q.lead(ctx, l, it)
		case <-it.done:
			return it.message, it.err
		case <-ctx.Done():
			if q.withdraw(l, it) {
				return sqlc.Message{}, ctx.Err()
			}
			<-it.done
		}
	}
}

func (q *queue) enter(at place, it *queued) *line {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lines[at]
	if l == nil {
		l = &line{turn: make(chan struct{}, 1)}
		q.lines[at] = l
	}
	l.waiting = append(l.waiting, it)
	l.present++
	return l
}

func (q *queue) leave(at place, l *line) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l.present--
	if l.present == 0 {
		delete(q.lines, at)
	}
}

// withdraw takes a message back. It returns false if somebody is writing it.
func (q *queue) withdraw(l *line, it *queued) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(l.waiting, it)
	if i >= 0 {
		l.waiting = slices.Delete(l.waiting, i, i+1)
	}
	return i >= 0
}

// take returns the messages to write next.
func (q *queue) take(l *line) []*queued {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(l.waiting), maxTogether)
	batch := slices.Clone(l.waiting[:n])
	l.waiting = slices.Delete(l.waiting, 0, n)
	return batch
}

// lead writes the waiting messages of a line, and passes the turn on.
func (q *queue) lead(ctx context.Context, l *line, it *queued) {
	defer func() { <-l.turn }()
	select {
	case <-it.done: // Somebody has just written it.
		return
	default:
	}
	batch := q.take(l)
	defer func() {
		for _, written := range batch {
			close(written.done)
		}
	}()
	if len(batch) == 1 {
		it.message, it.err = q.store.CreateMessage(ctx, it.params)
		return
	}
	// Others wait for it too, so it continues if the caller cancels.
	q.write(context.WithoutCancel(ctx), batch)
}

// write writes messages in one statement. If the database refuses them because of one of them, it writes each alone.
func (q *queue) write(ctx context.Context, batch []*queued) {
	first := batch[0].params
	together := sqlc.CreateMessagesParams{
		TicketID: first.TicketID, ActorID: first.ActorID, ActorKind: first.ActorKind, Staff: first.Staff,
		CountsFor: first.CountsFor, MaxMessages: first.MaxMessages, MaxBytes: first.MaxBytes,
	}
	for _, it := range batch {
		together.IDs = append(together.IDs, it.params.ID)
		together.Contents = append(together.Contents, it.params.Content)
		together.ChangeIDs = append(together.ChangeIDs, it.params.ChangeID)
	}
	written, err := q.store.CreateMessages(ctx, together)
	for _, it := range batch {
		i := slices.IndexFunc(written, func(m sqlc.Message) bool { return m.ID == it.params.ID })
		switch {
		case store.IsRefused(err):
			it.message, it.err = q.store.CreateMessage(ctx, it.params)
		case err == nil && i < 0:
			it.err = store.ErrNoRows
		case err == nil:
			it.message, it.err = written[i], nil
		default:
			it.err = err
		}
	}
}
