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

// AddClientMessage adds a chat client's message as AddMessage does, under the client's own id. It adds a message with the
// same id only once. The ticket's own id names its description, which is there already. It returns the errors of Add.
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

// clientMessage returns the ticket's message that was sent under the ClientID of a new one, or has it as its own id, or
// nil. It returns IdempotencyMismatch when that message has another text or another author.
func (s *Service) clientMessage(ctx context.Context, actor auth.Actor, id uuid.UUID, m NewMessage) (*sqlc.Message, error) {
	if m.ClientID == "" {
		return nil, nil
	}
	params := sqlc.GetMessageByClientIDParams{TicketID: id, ClientID: m.ClientID}
	if own, err := uuid.Parse(m.ClientID); err == nil {
		params.ID = &own
	}
	message, err := s.store.GetMessageByClientID(ctx, params)
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return sameMessage(message, actor, m.Content)
}

// sameMessage returns the message if the actor sent it with this content. The content of a redacted message is unknown.
func sameMessage(message sqlc.Message, actor auth.Actor, content string) (*sqlc.Message, error) {
	if message.AuthorID == nil || *message.AuthorID != actor.ID || message.RedactedAt == nil && message.Content != content {
		return nil, apperr.New(apperr.IdempotencyMismatch, "This message id was used for another message.")
	}
	return &message, nil
}

func clientIDOf(m NewMessage) *string {
	if m.ClientID == "" {
		return nil
	}
	return &m.ClientID
}

// description returns a ticket's description as a message.
func description(t sqlc.Ticket) sqlc.Message {
	return sqlc.Message{
		ID: t.ID, TicketID: t.ID, Author: sqlc.MessageAuthorCustomer, AuthorID: &t.UserID, Content: t.Description, CreatedAt: t.CreatedAt,
	}
}

// Conversation returns a ticket's conversation without redacted messages, oldest first: the description and the newest
// messages, at most 100 and at most page.MaxBytes of text. It returns NotFound.
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
