package journal

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
)

const (
	// maxSearched is how many positions one query reads for an actor who does not see all of them.
	maxSearched = 10_000
	// maxText bounds the text of a page, in bytes, beyond its first entry.
	maxText = 1 << 20
	// customerPause is how long readers who are not staff wait after each query. There are many of them, and most new
	// entries are not theirs.
	customerPause = time.Second
)

// Entry is an entry of the journal, with what people wrote where the entry is about that.
type Entry = sqlc.JournalEntry

// State is the state of the journal.
type State = sqlc.GetJournalStateRow

// Filter selects entries by type and ticket. The zero value selects all.
type Filter struct {
	Types    []string
	TicketID *uuid.UUID
}

// Page is a page of the entries that an actor sees. Position is where the next page begins: after the last entry, or after
// later ones that the actor does not see. Head is the newest position. Bytes is the size of the entries' texts.
type Page struct {
	Entries        []Entry
	Position, Head int64
	Bytes          int
}

// State returns the newest position, the oldest that is kept, and what waits in the outbox.
func (s *Service) State(ctx context.Context) (State, error) { return s.store.GetJournalState(ctx) }

// Read returns up to limit entries after a position, in order. It checks no visibility: it is for the product's own work. Fewer
// than limit mean that the end is reached; Wait waits for more.
func (s *Service) Read(ctx context.Context, after int64, limit int32) ([]Entry, error) {
	return s.store.ListJournal(ctx, sqlc.ListJournalParams{After: after, MaxRows: limit})
}

// Drain ends the waits of readers, so that they reconnect to another process.
func (s *Service) Drain() { s.drain() }

// Drained is closed by Drain.
func (s *Service) Drained() <-chan struct{} { return s.drained.Done() }

// Wait returns when the journal may have an entry after the position. It returns the error of ctx if that ends first.
func (s *Service) Wait(ctx context.Context, after int64) error { return s.head.wait(ctx, after) }

// Find returns up to limit of the entries that the actor sees after a position; nil means from the oldest one. If there
// are none yet, it waits for up to wait. It returns PositionExpired when entries after the position have been dropped, and
// when there is no such position: a database that was restored gives the positions that it has lost to other entries.
func (s *Service) Find(
	ctx context.Context, actor auth.Actor, f Filter, after *int64, limit int32, wait time.Duration,
) (Page, error) {
	position, err := s.startAfter(ctx, after)
	if err == nil {
		err = s.checkReached(ctx, position)
	}
	if err != nil {
		return Page{}, err
	}
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		page, err := s.page(ctx, actor, f, position, limit)
		if err != nil || len(page.Entries) > 0 || !s.awaitMore(waiting, actor, page) {
			return page, err
		}
		position = page.Position
	}
}

// Timeline is Find for the entries of one ticket, which f names. It does not wait, and leaves out dropped entries. The
// caller has decided that the actor may see the ticket.
func (s *Service) Timeline(ctx context.Context, actor auth.Actor, f Filter, after *int64, limit int32) (Page, error) {
	first, err := s.startAfter(ctx, nil)
	if err != nil {
		return Page{}, err
	}
	if after == nil || *after < first {
		after = &first
	}
	return s.page(ctx, actor, f, *after, limit)
}

// startAfter returns the position after which to read.
func (s *Service) startAfter(ctx context.Context, after *int64) (int64, error) {
	if after != nil {
		return *after, nil
	}
	oldest, err := s.store.GetJournalOldest(ctx)
	return oldest - 1, err
}

// awaitMore waits until there may be entries after the page, and reports whether there may be.
func (s *Service) awaitMore(ctx context.Context, actor auth.Actor, page Page) bool {
	if page.Position < page.Head {
		return ctx.Err() == nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.drained, cancel)()
	if !actor.IsStaff() {
		pause(ctx, customerPause)
	}
	return s.head.wait(ctx, page.Position) == nil
}

// page returns the entries after a position. It reads a bounded number of positions.
func (s *Service) page(ctx context.Context, actor auth.Actor, f Filter, after int64, limit int32) (Page, error) {
	head, err := s.newest(ctx) // Before the entries: all up to there can be read.
	if err != nil {
		return Page{}, err
	}
	if after >= head {
		return Page{Entries: []Entry{}, Position: after, Head: head}, nil
	}
	until := head
	if f.TicketID == nil && !isCustomer(actor) {
		until = min(head, after+maxSearched)
	}
	entries, err := s.find(ctx, actor, f, sqlc.FindJournalParams{After: after, Until: until, MaxRows: limit})
	if err != nil {
		return Page{}, err
	}
	if len(entries) == 0 || entries[0].Position != after+1 {
		if err := s.checkKept(ctx, after); err != nil {
			return Page{}, err
		}
	}
	full := len(entries) == int(limit)
	entries, size, cut := cutText(entries)
	page := Page{Entries: entries, Position: until, Head: head, Bytes: size}
	if full || cut {
		page.Position = entries[len(entries)-1].Position
	}
	return page, nil
}

// newest returns the newest position that this replica knows of. A replica that has just started asks the database.
func (s *Service) newest(ctx context.Context) (int64, error) {
	if position, known := s.head.get(); known {
		return position, nil
	}
	return s.askNewest(ctx)
}

// askNewest returns the newest position of the database.
func (s *Service) askNewest(ctx context.Context) (int64, error) {
	position, err := s.store.GetJournalHead(ctx)
	if err == nil {
		s.head.raise(position)
	}
	return position, err
}

// checkReached returns PositionExpired when no entry has had the position yet. Another replica may have heard of newer
// entries, so only the database knows.
func (s *Service) checkReached(ctx context.Context, position int64) error {
	head, err := s.newest(ctx)
	if err == nil && position > head {
		head, err = s.askNewest(ctx)
	}
	if err != nil || position <= head {
		return err
	}
	oldest, err := s.store.GetJournalOldest(ctx)
	if err != nil {
		return err
	}
	return expired(fmt.Sprintf("The newest event has position %d.", head), oldest)
}

// checkKept returns PositionExpired when entries after the position have been dropped. Called after a read, it tells whether
// the read has missed any.
func (s *Service) checkKept(ctx context.Context, after int64) error {
	oldest, err := s.store.GetJournalOldest(ctx)
	if err != nil || after >= oldest-1 {
		return err
	}
	return expired(fmt.Sprintf("The oldest event that is kept has position %d.", oldest), oldest)
}

// expired returns PositionExpired with the lowest position that a reader may use.
func expired(detail string, oldest int64) error {
	least := oldest - 1
	return apperr.New(apperr.PositionExpired, detail).
		At(apperr.Field{Pointer: "/after", In: "query", Code: apperr.OutOfRange, Limit: &least})
}

// isCustomer reports whether the actor sees only the entries of one customer.
func isCustomer(actor auth.Actor) bool {
	return !actor.IsStaff() && (actor.KeyID == uuid.Nil || !actor.InScope(auth.ScopeOnBehalf))
}

// find runs the query whose index fits what the actor sees.
func (s *Service) find(ctx context.Context, actor auth.Actor, f Filter, p sqlc.FindJournalParams) ([]Entry, error) {
	p.Types, p.ActorID, p.Staff, p.Admin = f.Types, actor.ID, actor.IsStaff(), actor.Has(auth.RoleAdmin)
	switch {
	case f.TicketID != nil:
		return s.store.FindTicketJournal(ctx, sqlc.FindTicketJournalParams{
			TicketID: *f.TicketID, After: p.After, Until: p.Until, Types: p.Types, MaxRows: p.MaxRows,
			Staff: p.Staff, ActorID: p.ActorID, ForCustomers: !isCustomer(actor),
		})
	case isCustomer(actor):
		return s.store.FindCustomerJournal(ctx, sqlc.FindCustomerJournalParams{
			ActorID: p.ActorID, After: p.After, Until: p.Until, Types: p.Types, MaxRows: p.MaxRows,
		})
	default:
		return s.store.FindJournal(ctx, p)
	}
}

// cutText returns the first entries whose texts together do not exceed maxText, and the size of their texts.
func cutText(entries []Entry) (_ []Entry, size int, cut bool) {
	for i, e := range entries {
		more := len(e.Data) + lengthOf(e.Content) + lengthOf(e.Title) + lengthOf(e.Description)
		if i > 0 && size+more > maxText {
			return entries[:i], size, true
		}
		size += more
	}
	return entries, size, false
}

func lengthOf(text *string) int {
	if text == nil {
		return 0
	}
	return len(*text)
}
