package account

import (
	"context"
	"iter"
	"log/slog"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/page"
	"github.com/supportbackend/support/internal/store"
)

// maxExported is how many rows one statement of an export reads. A row has at most 130 KiB.
const maxExported = 50

// Exported is one item of an export, as the customer sees it: the one member that is not nil.
type Exported struct {
	User       *sqlc.User
	Session    *sqlc.ListSessionsByUserRow
	Ticket     *sqlc.Ticket
	Message    *ExportedMessage
	Feedback   *sqlc.MessageFeedback
	AIResponse *sqlc.AIResponse
}

// ExportedMessage is a message with its author's name.
type ExportedMessage struct {
	sqlc.Message
	AuthorName string
}

// Export returns everything about a customer that they may see: the account, its sessions, and each ticket with what
// belongs to it, oldest first. The iteration reads a few rows at a time, and holds no connection in between. It ends with
// the first error. Export returns NotFound, also for staff and services.
func (s *Service) Export(ctx context.Context, actor auth.Actor, id uuid.UUID) (iter.Seq2[Exported, error], error) {
	user, err := s.store.GetExportedUser(ctx, id)
	if err != nil {
		return nil, store.NotFound(err)
	}
	s.auth.LogSecurity(ctx, slog.LevelWarn, "user exported", id, slog.Any("by_user_id", actor.ID))
	return func(yield func(Exported, error) bool) {
		e := &export{store: s.store, user: user, yield: yield}
		if e.add(Exported{User: &user}) && e.sessions(ctx) {
			e.tickets(ctx)
		}
	}, nil
}

// export is an export that is being read. Its methods report whether to continue.
type export struct {
	store *store.Store
	user  sqlc.User
	yield func(Exported, error) bool
}

func (e *export) add(thing Exported) bool { return e.yield(thing, nil) }

func (e *export) sessions(ctx context.Context) bool {
	return each(e, page.Last, func(before page.Position) ([]sqlc.ListSessionsByUserRow, error) {
		return e.store.ListSessionsByUser(ctx, sqlc.ListSessionsByUserParams{
			UserID: e.user.ID, BeforeCreatedAt: before.CreatedAt, BeforeID: before.ID, MaxRows: maxExported,
		})
	}, func(session sqlc.ListSessionsByUserRow) (page.Position, bool) {
		return page.At(session.CreatedAt, session.ID), e.add(Exported{Session: &session})
	})
}

func (e *export) tickets(ctx context.Context) bool {
	return each(e, page.First, func(after page.Position) ([]sqlc.Ticket, error) {
		return e.store.ListExportedTickets(ctx, sqlc.ListExportedTicketsParams{
			UserID: e.user.ID, AfterCreatedAt: after.CreatedAt, AfterID: after.ID, MaxRows: maxExported,
		})
	}, func(ticket sqlc.Ticket) (page.Position, bool) {
		return page.At(ticket.CreatedAt, ticket.ID),
			e.add(Exported{Ticket: &ticket}) && e.messages(ctx, ticket.ID) && e.aiResponses(ctx, ticket.ID)
	})
}

func (e *export) messages(ctx context.Context, ticketID uuid.UUID) bool {
	return each(e, page.First, func(after page.Position) ([]sqlc.ListExportedMessagesRow, error) {
		return e.store.ListExportedMessages(ctx, sqlc.ListExportedMessagesParams{
			TicketID: ticketID, AfterCreatedAt: after.CreatedAt, AfterID: after.ID, MaxRows: maxExported,
		})
	}, func(row sqlc.ListExportedMessagesRow) (page.Position, bool) {
		position := page.At(row.Message.CreatedAt, row.Message.ID)
		if !e.add(Exported{Message: &ExportedMessage{row.Message, row.AuthorName}}) {
			return position, false
		}
		if row.Rating == nil {
			return position, true
		}
		return position, e.add(Exported{Feedback: &sqlc.MessageFeedback{
			MessageID: row.Message.ID, UserID: e.user.ID, Rating: *row.Rating, Comment: row.Comment,
			CreatedAt: *row.RatedAt, UpdatedAt: *row.RatingUpdatedAt,
		}})
	})
}

func (e *export) aiResponses(ctx context.Context, ticketID uuid.UUID) bool {
	return each(e, page.First, func(after page.Position) ([]sqlc.AIResponse, error) {
		return e.store.ListExportedAIResponses(ctx, sqlc.ListExportedAIResponsesParams{
			TicketID: ticketID, AfterCreatedAt: after.CreatedAt, AfterID: after.ID, MaxRows: maxExported,
		})
	}, func(response sqlc.AIResponse) (page.Position, bool) {
		return page.At(response.CreatedAt, response.ID), e.add(Exported{AIResponse: &response})
	})
}

// each adds the rows of a list, batch by batch. add returns where a row stands.
func each[T any](
	e *export, from page.Position, list func(page.Position) ([]T, error), add func(T) (page.Position, bool),
) bool {
	for {
		rows, err := list(from)
		if err != nil {
			e.yield(Exported{}, err)
			return false
		}
		for _, row := range rows {
			var more bool
			if from, more = add(row); !more {
				return false
			}
		}
		if len(rows) < maxExported {
			return true
		}
	}
}
