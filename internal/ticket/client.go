package ticket

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/page"
	"github.com/supportbackend/support/internal/store"
)

// AddClientMessage adds what a chat client says as AddMessage does, under the id that the client gave it. What the ticket has under
// this id is not added again: the ticket's id stands for its description. It returns what Add returns.
func (s *Service) AddClientMessage(
	ctx context.Context, actor auth.Actor, id uuid.UUID, clientID, content string,
) error {
	if own, err := uuid.Parse(clientID); err != nil || own != id {
		_, _, err = s.Add(ctx, actor, id, NewMessage{Content: content, ClientID: clientID})
		return err
	}
	ticket, err := s.Find(ctx, actor, id)
	if err != nil {
		return err
	}
	_, err = sameMessage(description(ticket), actor, content)
	return err
}

// clientMessage returns the message that a ticket has under the ClientID of a new one, or nil: the one that was sent under it, or
// whose own id it is. It returns IdempotencyMismatch when that is another text or another author's.
func (s *Service) clientMessage(ctx context.Context, actor auth.Actor, id uuid.UUID, m NewMessage) (*sqlc.Message, error) {
	if m.ClientID == "" {
		return nil, nil
	}
	params := sqlc.GetMessageByClientIDParams{TicketID: id, ClientID: m.ClientID}
	if own, err := uuid.Parse(m.ClientID); err == nil {
		params.ID = &own
	}
	said, err := s.store.GetMessageByClientID(ctx, params)
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return sameMessage(said, actor, m.Content)
}

// sameMessage returns a message that the actor has sent with the content. Of one that was redacted since, nobody knows the
// content.
func sameMessage(said sqlc.Message, actor auth.Actor, content string) (*sqlc.Message, error) {
	if said.AuthorID == nil || *said.AuthorID != actor.ID || said.RedactedAt == nil && said.Content != content {
		return nil, apperr.New(apperr.IdempotencyMismatch, "This message id was used for another message.")
	}
	return &said, nil
}

func clientIDOf(m NewMessage) *string {
	if m.ClientID == "" {
		return nil
	}
	return &m.ClientID
}

// description is a ticket's description in the form of a message.
func description(t sqlc.Ticket) sqlc.Message {
	return sqlc.Message{
		ID: t.ID, TicketID: t.ID, Author: sqlc.MessageAuthorCustomer, AuthorID: &t.UserID, Content: t.Description, CreatedAt: t.CreatedAt,
	}
}

// Conversation returns what was said in a ticket and stands, oldest first, beginning with the description: of the messages
// the newest, at most 100, and at most page.MaxBytes of text. It returns NotFound.
func (s *Service) Conversation(ctx context.Context, actor auth.Actor, id uuid.UUID) ([]sqlc.Message, error) {
	ticket, err := s.Find(ctx, actor, id)
	if err != nil {
		return nil, err
	}
	messages, err := s.store.ListStandingMessages(ctx, sqlc.ListStandingMessagesParams{TicketID: id, MaxRows: latestMessages})
	if err != nil {
		return nil, err
	}
	size := func(m sqlc.Message) int { return len(m.Content) }
	messages = append(messages[:page.Fit(messages, size)], description(ticket))
	slices.Reverse(messages)
	return messages, nil
}
