package ticket

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/store"
)

// redacted replaces a redacted text.
const redacted = "[redacted]"

// tombstone is what is left of a ticket or a message in a remembered response.
type tombstone struct {
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	Content     string `json:"content,omitempty"`
	RedactedAt  string `json:"redacted_at"`
}

// Redact removes a message's text everywhere and leaves the message itself. Only staff may call it. It also ends what
// the AI is writing, which may quote the text: requests by staff and, unless the message is a note, answers to
// customers. Redacting a message again changes nothing. It returns NotFound.
func (s *Service) Redact(ctx context.Context, actor auth.Actor, id uuid.UUID) (message Message, err error) {
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		ticket, err := s.store.LockTicketOfMessage(ctx, sqlc.LockTicketOfMessageParams{MessageID: id, Staff: actor.IsStaff()})
		if err != nil {
			return store.NotFound(err)
		}
		before, err := s.store.GetMessageWithName(ctx, sqlc.GetMessageWithNameParams{
			ID: id, CallerID: actor.ID, AllCustomers: actor.SeesCustomers(),
		})
		if message = (Message{before.Message, before.AuthorName}); err != nil || message.RedactedAt != nil {
			return err
		}
		if err := s.silence(ctx, actor, sqlc.EmptyAIResponsesParams{
			TicketID: ticket.ID, MessageID: &id, IsNote: message.IsNote,
		}); err != nil {
			return err
		}
		row, err := s.store.RedactMessage(ctx, sqlc.RedactMessageParams{ID: id, ActorKind: actor.Kind(), ActorID: actor.ID})
		if err != nil {
			return err
		}
		message.Message = sqlc.Message(row)
		return s.forget(ctx, ticket.ID, id, tombstone{Content: redacted, RedactedAt: *utc(row.RedactedAt)})
	})
	return message, err
}

// RedactTicket removes a ticket's title, description and hand-off note everywhere, as Redact does for a message. It
// returns NotFound.
func (s *Service) RedactTicket(ctx context.Context, actor auth.Actor, id uuid.UUID) (after View, err error) {
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		before, err := Lock(ctx, s.store, actor, id)
		if err != nil {
			return err
		}
		if before.RedactedAt == nil {
			if err := s.redactTicket(ctx, actor, id); err != nil {
				return err
			}
		}
		after, _, err = s.Get(ctx, actor, id)
		return err
	})
	return after, err
}

func (s *Service) redactTicket(ctx context.Context, actor auth.Actor, id uuid.UUID) error {
	if err := s.silence(ctx, actor, sqlc.EmptyAIResponsesParams{TicketID: id}); err != nil {
		return err
	}
	at, err := s.store.RedactTicket(ctx, sqlc.RedactTicketParams{ID: id, ActorKind: actor.Kind(), ActorID: actor.ID})
	if err != nil {
		return err
	}
	return s.forget(ctx, id, id, tombstone{Title: redacted, Description: redacted, RedactedAt: *utc(&at)})
}

// silence ends what the AI is writing in a ticket, and removes what it wrote there that was never published.
func (s *Service) silence(ctx context.Context, actor auth.Actor, p sqlc.EmptyAIResponsesParams) error {
	if _, err := s.store.SupersedeAIResponses(ctx, sqlc.SupersedeAIResponsesParams{
		TicketID: p.TicketID, ActorKind: actor.Kind(), ActorID: &actor.ID, Answers: !p.IsNote, StaffRequests: true,
	}); err != nil {
		return err
	}
	p.ActorKind, p.ActorID = actor.Kind(), actor.ID
	return s.store.EmptyAIResponses(ctx, p)
}

// forget replaces a thing in the remembered responses of a ticket's requests with a tombstone.
func (s *Service) forget(ctx context.Context, ticketID, id uuid.UUID, t tombstone) error {
	text, err := json.Marshal(t)
	if err != nil {
		return err
	}
	if err := s.store.LockWebhookResponses(store.Ahead(ctx)); err != nil {
		return err
	}
	if err := s.store.RedactWebhookResponses(ctx, sqlc.RedactWebhookResponsesParams{TicketID: ticketID, ID: id}); err != nil {
		return err
	}
	return s.store.RedactRememberedResponses(ctx, sqlc.RedactRememberedResponsesParams{
		TicketID: ticketID, ID: id.String(), Tombstone: text,
	})
}
