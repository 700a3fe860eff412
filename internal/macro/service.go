// Package macro stores canned replies and applies them to tickets.
//
// A [Service] stores and applies them (service.go, apply.go). Their texts have placeholders from a closed list
// (text.go).
//
// Besides the errors that they name, all methods return the errors of store.Store.
package macro

import (
	"context"
	"errors"
	"reflect"
	"slices"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/page"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/ticket"
	"github.com/supportbackend/support/internal/uuid7"
)

// Service manages the desk's macros. The caller has decided that the actor may.
type Service struct {
	store   *store.Store
	tickets *ticket.Service
}

// NewService returns a Service on the store that applies macros to tickets.
func NewService(s *store.Store, tickets *ticket.Service) *Service {
	return &Service{store: s, tickets: tickets}
}

// Macro is a canned reply with the changes that it makes in a ticket.
type Macro = sqlc.Macro

// Settings are a macro's text and changes. Members that are nil or empty change nothing.
type Settings struct {
	Name       string
	Content    string
	IsNote     bool
	Status     *sqlc.TicketStatus
	Priority   *sqlc.TicketPriority
	AddTags    []string
	AssigneeID *uuid.UUID
	TeamID     *uuid.UUID
}

// equal reports whether these are the macro's settings.
func (set Settings) equal(m Macro) bool {
	return set.Name == m.Name && set.Content == m.Content && set.IsNote == m.IsNote && slices.Equal(set.AddTags, m.AddTags) &&
		reflect.DeepEqual(
			[]any{set.Status, set.Priority, set.AssigneeID, set.TeamID}, []any{m.Status, m.Priority, m.AssigneeID, m.TeamID},
		)
}

// Create creates a macro. It returns NameTaken, and ValidationFailed for an unknown placeholder and for an unusable
// assignee or team.
func (s *Service) Create(ctx context.Context, actor auth.Actor, set Settings) (created Macro, err error) {
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		if err := s.check(ctx, set); err != nil {
			return err
		}
		row, err := s.store.CreateMacro(store.Last(ctx), sqlc.CreateMacroParams{
			ID: uuid7.New(), Name: set.Name, Content: set.Content, IsNote: set.IsNote, Status: set.Status, Priority: set.Priority,
			AddTags: set.AddTags, AssigneeID: set.AssigneeID, TeamID: set.TeamID, ActorKind: actor.Kind(), ActorID: actor.ID,
		})
		created = Macro(row)
		return taken(err)
	})
	return created, err
}

func (s *Service) check(ctx context.Context, set Settings) error {
	if err := checkText(set.Content); err != nil {
		return err
	}
	return s.tickets.CheckAssignment(ctx, set.AssigneeID, set.TeamID)
}

func taken(err error) error {
	if errors.Is(err, store.ErrNoRows) || store.IsUniqueViolation(err, "macros_name_key") {
		return apperr.New(apperr.NameTaken, "Another macro has this name.")
	}
	return err
}

// Get returns a macro. It returns NotFound.
func (s *Service) Get(ctx context.Context, id uuid.UUID) (Macro, error) {
	m, err := s.store.GetMacro(ctx, id)
	return m, store.NotFound(err)
}

// List returns a page of the macros with the text in their name or content, newest first, and where the next page
// begins, if there is one. An empty text lists all macros.
func (s *Service) List(ctx context.Context, text string, p page.Page) ([]Macro, *page.Position, error) {
	size := func(m Macro) int { return len(m.Content) }
	return page.ReadText(p, func(before page.Position, limit int32) ([]Macro, error) {
		return s.store.ListMacros(ctx, sqlc.ListMacrosParams{
			Containing: text, BeforeCreatedAt: before.CreatedAt, BeforeID: before.ID, MaxRows: limit,
		})
	}, size, func(m Macro) page.Position { return page.At(m.CreatedAt, m.ID) })
}

// Update replaces a macro's settings, if the caller accepts its version. The settings that it has already have no effect. It
// returns NotFound, PreconditionFailed, and the errors of Create.
func (s *Service) Update(
	ctx context.Context, actor auth.Actor, id uuid.UUID, set Settings, accept func(version int64) bool,
) (updated Macro, err error) {
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		before, err := s.store.LockMacro(ctx, id)
		if err != nil {
			return store.NotFound(err)
		}
		if !accept(before.Version) {
			return apperr.New(apperr.PreconditionFailed, "The macro has changed since the version in If-Match.")
		}
		if err := s.check(ctx, set); err != nil {
			return err
		}
		if updated = before; set.equal(before) {
			return nil
		}
		row, err := s.store.UpdateMacro(store.Last(ctx), sqlc.UpdateMacroParams{
			ID: id, Name: set.Name, Content: set.Content, IsNote: set.IsNote, Status: set.Status, Priority: set.Priority,
			AddTags: set.AddTags, AssigneeID: set.AssigneeID, TeamID: set.TeamID, ActorKind: actor.Kind(), ActorID: actor.ID,
		})
		updated = Macro(row)
		return taken(err)
	})
	return updated, err
}

// Delete deletes a macro. It returns NotFound.
func (s *Service) Delete(ctx context.Context, actor auth.Actor, id uuid.UUID) error {
	deleted, err := s.store.DeleteMacro(ctx, sqlc.DeleteMacroParams{ID: id, ActorKind: actor.Kind(), ActorID: actor.ID})
	if err == nil && deleted == 0 {
		err = store.ErrNoRows
	}
	return store.NotFound(err)
}
