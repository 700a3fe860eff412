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

// AddClientMessage adds a message as AddMessage does, under the id that a chat client gave it. One that the ticket has under
// this id, or whose own id it is, is not added again: the ticket's id stands for its description. It returns what AddMessage
// returns, and IdempotencyMismatch when the message there is another text or another author's.
func (s *Service) AddClientMessage(
	ctx context.Context, actor auth.Actor, id uuid.UUID, clientID, content string,
) error {
	err := s.store.InTx(ctx, func(ctx context.Context) error {
		ticket, err := Lock(ctx, s.store, actor, id)
		if err != nil {
			return err
		}
		said, err := s.clientMessage(ctx, ticket, clientID)
		switch {
		case errors.Is(err, store.ErrNoRows):
			_, err = s.createMessage(store.Last(ctx), actor, id, sqlc.CreateMessageParams{Content: content, ClientID: &clientID})
			return err
		case err == nil && (said.AuthorID == nil || *said.AuthorID != actor.ID || said.Content != content):
			return apperr.New(apperr.IdempotencyMismatch, "This message id was used for another message.")
		}
		return err
	})
	if errors.Is(err, store.ErrNoRows) {
		return s.whyNot(ctx, actor, id)
	}
	return err
}

// clientMessage returns what a ticket has under a chat client's id, or store.ErrNoRows.
func (s *Service) clientMessage(ctx context.Context, t sqlc.Ticket, clientID string) (sqlc.Message, error) {
	id, err := uuid.Parse(clientID)
	if err == nil && id == t.ID {
		return description(t), nil
	}
	return s.store.GetMessageByClientID(ctx, sqlc.GetMessageByClientIDParams{TicketID: t.ID, ClientID: clientID, ID: &id})
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
	messages = append(messages[:page.Fit(messages, sizeOf)], description(ticket))
	slices.Reverse(messages)
	return messages, nil
}
