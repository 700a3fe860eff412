// Package ticket holds the rules of tickets and their messages.
//
// Besides the errors that they name, all methods return the errors of store.Store.
//
// Every method decides in SQL what the actor may see. It returns the same NotFound for what does not exist and for what
// is not the actor's.
package ticket

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/page"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/uuid7"
)

// latestMessages is the maximum number of messages that Get returns.
const latestMessages = 100

// Options configure a Service.
type Options struct {
	// Budget limits each customer.
	Budget Budget
	// AIMode is the mode of new tickets.
	AIMode sqlc.AIMode
	// Triage means that the AI triages new tickets.
	Triage bool
}

// Service manages tickets and their messages.
type Service struct {
	store  *store.Store
	budget Budget
	aiMode sqlc.AIMode
	triage bool
	queue  *queue
}

// NewService returns a Service on the store.
func NewService(s *store.Store, o Options) *Service {
	return &Service{store: s, budget: o.Budget, aiMode: o.AIMode, triage: o.Triage, queue: newQueue(s)}
}

// View is a ticket. If it belongs to a service's customer whom the actor may see, it has the customer's names.
type View = sqlc.ListTicketsRow

// Ticket is a ticket without its customer.
type Ticket = sqlc.Ticket

// Message is a message of a ticket's conversation. Its author's name is empty if the actor may not see it.
type Message struct {
	sqlc.Message
	AuthorName string
}

// AIMode says who gets the AI's answers in a ticket.
type AIMode = sqlc.AIMode

// List returns a page of the actor's tickets or, for staff, of everybody's, newest first, and where the next page
// begins, if there is one.
func (s *Service) List(ctx context.Context, actor auth.Actor, p page.Page) ([]View, *page.Position, error) {
	size := func(t View) int { return len(t.Ticket.Title) + len(t.Ticket.Description) }
	return page.ReadText(p, func(before page.Position, limit int32) ([]View, error) {
		return s.list(ctx, actor, before, limit)
	}, size, func(t View) page.Position { return page.At(t.Ticket.CreatedAt, t.Ticket.ID) })
}

// list reads the staff's or the customer's list, each of which has its index. A customer's own tickets do not carry the
// customer's names.
func (s *Service) list(
	ctx context.Context, actor auth.Actor, before page.Position, most int32,
) (tickets []View, err error) {
	if actor.IsStaff() {
		return s.store.ListTickets(ctx, sqlc.ListTicketsParams{
			ServiceID: actor.ID, AllCustomers: actor.SeesCustomers(),
			BeforeCreatedAt: before.CreatedAt, BeforeID: before.ID, MaxRows: most,
		})
	}
	rows, err := s.store.ListTicketsByUser(ctx, sqlc.ListTicketsByUserParams{
		UserID: actor.ID, BeforeCreatedAt: before.CreatedAt, BeforeID: before.ID, MaxRows: most,
	})
	tickets = make([]View, len(rows))
	for i, row := range rows {
		tickets[i].Ticket = Ticket{
			ID: row.ID, UserID: row.UserID, Title: row.Title, Description: row.Description, Status: row.Status,
			CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt, AIMode: row.AIMode, LastMessageAt: row.LastMessageAt,
			FirstResponseAt: row.FirstResponseAt, ResolvedAt: row.ResolvedAt, MergedInto: row.MergedInto,
			HandoffReason: row.HandoffReason, HandedOffAt: row.HandedOffAt, RedactedAt: row.RedactedAt,
		}
	}
	return tickets, err
}

// Get returns a ticket and its latest messages, for staff with notes, oldest first: at most 100, and at most
// page.MaxBytes of text. Both are from one snapshot. It returns NotFound.
func (s *Service) Get(ctx context.Context, actor auth.Actor, id uuid.UUID) (View, []Message, error) {
	found, err := s.store.FindTicketWithMessages(ctx, sqlc.FindTicketWithMessagesParams{
		ID: id, ActorID: actor.ID, Staff: actor.IsStaff(), AllCustomers: actor.SeesCustomers(), MaxRows: latestMessages,
	})
	if err != nil {
		return View{}, nil, store.NotFound(err)
	}
	messages := messagesOf(found)
	messages = messages[:page.Fit(messages, sizeOf)]
	slices.Reverse(messages)
	view := View{
		Ticket: found.Ticket, ServiceID: found.ServiceID, ExternalID: found.ExternalID, DisplayName: found.DisplayName,
	}
	return view, messages, nil
}

// messagesOf assembles messages from the columns of a row.
func messagesOf(found sqlc.FindTicketWithMessagesRow) []Message {
	unlessNil := func(id *uuid.UUID) *uuid.UUID {
		if *id == uuid.Nil {
			return nil
		}
		return id
	}
	unlessZero := func(at time.Time) *time.Time {
		if at.IsZero() {
			return nil
		}
		return &at
	}
	messages := make([]Message, len(found.IDs))
	for i := range messages {
		messages[i].Message = sqlc.Message{
			ID: found.IDs[i], TicketID: found.Ticket.ID, Author: sqlc.MessageAuthor(found.Authors[i]),
			AuthorID: unlessNil(&found.AuthorIDs[i]), Content: found.Contents[i], CreatedAt: found.CreatedAts[i],
			IsNote: found.AreNotes[i], RedactedAt: unlessZero(found.RedactedAts[i]),
			SupersededBy: unlessNil(&found.SupersededBys[i]),
		}
		messages[i].AuthorName = found.AuthorNames[i]
		if found.DisplayName != nil && messages[i].Author == sqlc.MessageAuthorCustomer {
			messages[i].AuthorName = *found.DisplayName
		}
	}
	return messages
}

// sizeOf returns the size of a message in a page, in bytes.
func sizeOf(m Message) int { return len(m.Content) }

// ListMessages returns a page of a ticket's messages, for staff with notes, oldest or newest first, and where the next
// page begins, if there is one. It returns NotFound.
func (s *Service) ListMessages(
	ctx context.Context, actor auth.Actor, id uuid.UUID, newestFirst bool, p page.Page,
) ([]Message, *page.Position, error) {
	if _, err := s.Find(ctx, actor, id); err != nil {
		return nil, nil, err
	}
	list := s.messagesAfter
	if newestFirst {
		list = s.messagesBefore
	}
	found, err := list(ctx, actor, id, p)
	if err != nil {
		return nil, nil, err
	}
	messages, next := page.CutText(found, p.Limit, sizeOf, func(m Message) page.Position {
		return page.At(m.CreatedAt, m.ID)
	})
	return messages, next, nil
}

// messagesAfter reads one message more than the page may have, oldest first.
func (s *Service) messagesAfter(ctx context.Context, actor auth.Actor, id uuid.UUID, p page.Page) ([]Message, error) {
	after := p.AfterOr(page.First)
	return withNames(s.store.ListMessagesByTicket(ctx, sqlc.ListMessagesByTicketParams{
		TicketID: id, CallerID: actor.ID, Staff: actor.IsStaff(), AllCustomers: actor.SeesCustomers(),
		AfterCreatedAt: after.CreatedAt, AfterID: after.ID, MaxRows: p.Limit + 1,
	}))
}

// messagesBefore is messagesAfter, newest first.
func (s *Service) messagesBefore(ctx context.Context, actor auth.Actor, id uuid.UUID, p page.Page) ([]Message, error) {
	before := p.AfterOr(page.Last)
	return withNames(s.store.ListMessagesByTicketBackwards(ctx, sqlc.ListMessagesByTicketBackwardsParams{
		TicketID: id, CallerID: actor.ID, Staff: actor.IsStaff(), AllCustomers: actor.SeesCustomers(),
		BeforeCreatedAt: before.CreatedAt, BeforeID: before.ID, MaxRows: p.Limit + 1,
	}))
}

// withNames converts the rows of a list.
func withNames[Row sqlc.ListMessagesByTicketRow | sqlc.ListMessagesByTicketBackwardsRow](rows []Row, err error) ([]Message, error) {
	messages := make([]Message, len(rows))
	for i, row := range rows {
		r := sqlc.ListMessagesByTicketRow(row)
		messages[i] = Message{r.Message, r.AuthorName}
	}
	return messages, err
}

// NewMessage is a message to add.
type NewMessage struct {
	Content string
	// ClientID is the author's own id for it, unique in the ticket; it may be empty.
	ClientID string
	// Accept reports whether the caller accepts a version of the ticket; nil accepts all.
	Accept func(version int64) bool
}

// AddMessage adds a message by the actor, who is the ticket's customer or staff. A staff message fences an AI answer
// that is being written, which is then never published. A customer's message begins the next turn, cancels an answer to
// the previous one that has not begun, and reopens a ticket that is pending or resolved. It returns NotFound,
// TicketClosed, and RateLimited when the customer's budget is used up.
func (s *Service) AddMessage(ctx context.Context, actor auth.Actor, id uuid.UUID, content string) (Message, error) {
	message, _, err := s.Add(ctx, actor, id, NewMessage{Content: content})
	return message, err
}

// Add is AddMessage, unless the ticket already has a message under the ClientID: then it returns that message, which
// may have been redacted since, and created is false. It also returns PreconditionFailed and IdempotencyMismatch.
func (s *Service) Add(
	ctx context.Context, actor auth.Actor, id uuid.UUID, m NewMessage,
) (message Message, created bool, err error) {
	add := func(ctx context.Context) error {
		message, err = s.createMessage(ctx, actor, id, sqlc.CreateMessageParams{Content: m.Content, ClientID: clientIDOf(m)})
		return err
	}
	if created = m.Accept == nil && m.ClientID == ""; created {
		err = add(ctx)
	} else {
		err = s.store.InTx(ctx, func(ctx context.Context) error {
			existing, err := s.prepare(ctx, actor, id, m)
			if err != nil {
				return err
			}
			if created = existing == nil; !created {
				message = Message{*existing, actor.DisplayName}
				return nil
			}
			return add(store.Last(ctx))
		})
	}
	if errors.Is(err, store.ErrNoRows) {
		return Message{}, false, s.whyNot(ctx, actor, id)
	}
	return message, created, err
}

// prepare locks a ticket for a conditional message, and returns the message if it exists already.
func (s *Service) prepare(ctx context.Context, actor auth.Actor, id uuid.UUID, m NewMessage) (*sqlc.Message, error) {
	before, err := Lock(ctx, s.store, actor, id)
	if err != nil {
		return nil, err
	}
	if before.MergedInto != nil {
		id = *before.MergedInto // Its messages are there.
	}
	existing, err := s.clientMessage(ctx, actor, id, m)
	if err != nil || existing != nil {
		return existing, err
	}
	if m.Accept != nil && !m.Accept(before.Version) {
		return nil, ErrChanged()
	}
	return nil, nil
}

// createMessage writes a message. It returns store.ErrNoRows when it cannot; whyNot returns the reason.
func (s *Service) createMessage(
	ctx context.Context, actor auth.Actor, id uuid.UUID, m sqlc.CreateMessageParams,
) (Message, error) {
	limits := s.budget.of(actor)
	m.ID, m.ChangeID = uuid7.New(), uuid7.New()
	m.TicketID, m.ActorID, m.ActorKind, m.Staff = id, actor.ID, actor.Kind(), actor.IsStaff()
	m.CountsFor, m.MaxMessages, m.MaxBytes = limits.account, limits.messages, limits.bytes
	create := s.queue.create
	if s.store.IsInTx(ctx) {
		create = s.store.CreateMessage
	}
	message, err := create(ctx, m)
	return Message{Message: message, AuthorName: actor.DisplayName}, err
}

// whyNot returns why the actor cannot add a message to a ticket.
func (s *Service) whyNot(ctx context.Context, actor auth.Actor, id uuid.UUID) error {
	ticket, err := s.Find(ctx, actor, id)
	switch {
	case err != nil:
		return err
	case ticket.Status == sqlc.TicketStatusClosed:
		return ErrClosed(ticket)
	default:
		return errSpent()
	}
}

// Find returns a ticket without its messages. It returns NotFound.
func (s *Service) Find(ctx context.Context, actor auth.Actor, id uuid.UUID) (sqlc.Ticket, error) {
	return Find(ctx, s.store, actor, id)
}

// Find returns a ticket that the actor may see. It returns NotFound.
func Find(ctx context.Context, s *store.Store, actor auth.Actor, id uuid.UUID) (sqlc.Ticket, error) {
	ticket, err := s.FindTicket(ctx, sqlc.FindTicketParams{ID: id, ActorID: actor.ID, Staff: actor.IsStaff()})
	return ticket, store.NotFound(err)
}

// Lock returns a ticket that the actor may see, locked until the transaction ends. Everybody who adds to a ticket's
// conversation or changes its status holds this lock, so each of them sees the result of the previous one. It returns
// NotFound.
func Lock(ctx context.Context, s *store.Store, actor auth.Actor, id uuid.UUID) (sqlc.Ticket, error) {
	ticket, err := s.LockTicket(ctx, sqlc.LockTicketParams{ID: id, ActorID: actor.ID, Staff: actor.IsStaff()})
	return ticket, store.NotFound(err)
}

// ErrChanged returns the error for a caller who does not accept the ticket's version.
func ErrChanged() error {
	return apperr.New(apperr.PreconditionFailed, "The ticket has changed since the version in If-Match.")
}

// ErrClosed returns the error for adding to a closed ticket.
func ErrClosed(t sqlc.Ticket) error {
	if t.MergedInto != nil {
		return apperr.New(apperr.TicketClosed, mergedElsewhere)
	}
	return apperr.New(apperr.TicketClosed, "The ticket is closed; reopen it first.")
}

// mergedElsewhere says why a merged ticket cannot change.
const mergedElsewhere = "The ticket was merged into another one (merged_into) and stays closed."
