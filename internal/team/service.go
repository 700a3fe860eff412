// Package team manages teams of staff, to which tickets are assigned.
//
// Besides the errors that they name, all methods return the errors of store.Store.
package team

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/background"
	"github.com/supportbackend/support/internal/page"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/uuid7"
)

const (
	detachInterval = time.Minute
	// maxDetached is how many tickets lose their team, or their assignee, in one statement.
	maxDetached = 1000
)

// Service manages teams.
type Service struct {
	store *store.Store
}

// NewService returns a Service on the store.
func NewService(s *store.Store) *Service { return &Service{store: s} }

// Team is a team with its members.
type Team = sqlc.GetTeamRow

// Create creates a team. It returns ValidationFailed when a member is not an enabled staff account.
func (s *Service) Create(ctx context.Context, actor auth.Actor, name string, members []uuid.UUID) (team Team, err error) {
	id := uuid7.New()
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		if err := s.checkMembers(ctx, members); err != nil {
			return err
		}
		if _, err := s.store.CreateTeam(ctx, sqlc.CreateTeamParams{
			ID: id, Name: name, MemberIDs: members, ActorKind: actor.Kind(), ActorID: actor.ID,
		}); err != nil {
			return err
		}
		team, err = s.store.GetTeam(store.Last(ctx), id)
		return err
	})
	return team, err
}

// Get returns a team. It returns NotFound.
func (s *Service) Get(ctx context.Context, id uuid.UUID) (Team, error) {
	team, err := s.store.GetTeam(ctx, id)
	return team, store.NotFound(err)
}

// List returns a page of the teams, newest first, and where the next page begins, if there is one.
func (s *Service) List(ctx context.Context, p page.Page) ([]Team, *page.Position, error) {
	return page.Read(p, func(before page.Position, limit int32) ([]Team, error) {
		rows, err := s.store.ListTeams(ctx, sqlc.ListTeamsParams{
			BeforeCreatedAt: before.CreatedAt, BeforeID: before.ID, MaxRows: limit,
		})
		teams := make([]Team, len(rows))
		for i, row := range rows {
			teams[i] = Team(row)
		}
		return teams, err
	}, func(t Team) page.Position { return page.At(t.Team.CreatedAt, t.Team.ID) })
}

// Change is a change of a team. An empty name and nil members leave them unchanged.
type Change struct {
	Name    string
	Members *[]uuid.UUID
}

// Update changes a team, if the caller accepts its version. A change that changes nothing has no effect. It returns NotFound,
// PreconditionFailed, and ValidationFailed when a member is not an enabled staff account.
func (s *Service) Update(
	ctx context.Context, actor auth.Actor, id uuid.UUID, c Change, accept func(version int64) bool,
) (team Team, err error) {
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		before, err := s.store.LockTeam(ctx, id)
		if err != nil {
			return store.NotFound(err)
		}
		if !accept(before.Version) {
			return apperr.New(apperr.PreconditionFailed, "The team has changed since the version in If-Match.")
		}
		// A statement of its own: one that has waited for the lock would not see the members that it waited for.
		if team, err = s.store.GetTeam(ctx, id); err != nil {
			return err
		}
		params := sqlc.UpdateTeamParams{
			ID: id, Name: cmp.Or(c.Name, before.Name), NewMembers: c.Members != nil, ActorKind: actor.Kind(), ActorID: actor.ID,
		}
		if c.Members != nil {
			params.MemberIDs = *c.Members
			if err := s.checkMembers(ctx, *c.Members); err != nil {
				return err
			}
		}
		if params.Name == before.Name && (c.Members == nil || sameMembers(*c.Members, team.MemberIDs)) {
			return nil
		}
		if _, err := s.store.UpdateTeam(ctx, params); err != nil {
			return err
		}
		team, err = s.store.GetTeam(store.Last(ctx), id)
		return err
	})
	return team, err
}

// sameMembers reports whether two lists without duplicates name the same accounts.
func sameMembers(a, b []uuid.UUID) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(id uuid.UUID) bool { return !slices.Contains(b, id) })
}

// checkMembers returns ValidationFailed unless all are enabled staff accounts.
func (s *Service) checkMembers(ctx context.Context, ids []uuid.UUID) error {
	if len(ids) == 0 {
		return nil
	}
	n, err := s.store.CountStaff(ctx, ids)
	if err != nil || int(n) == len(ids) {
		return err
	}
	return apperr.New(apperr.ValidationFailed, "A member is not an enabled staff account.").
		At(apperr.Field{Pointer: "/member_ids", Code: apperr.NotAllowed})
}

// Delete deletes a team and removes it from its tickets: from the first ones at once, from the rest by Detach. It
// returns NotFound.
func (s *Service) Delete(ctx context.Context, actor auth.Actor, id uuid.UUID) error {
	return s.store.InTx(ctx, func(ctx context.Context) error {
		deleted, err := s.store.DeleteTeam(ctx, sqlc.DeleteTeamParams{ID: id, ActorKind: actor.Kind(), ActorID: actor.ID})
		if err != nil {
			return err
		}
		if deleted == 0 {
			return store.NotFound(store.ErrNoRows)
		}
		_, err = s.store.DetachTickets(store.Last(ctx), sqlc.DetachTicketsParams{MaxRows: maxDetached})
		return err
	})
}

// Detach removes deleted teams from their tickets, in batches, and then deletes them.
func (s *Service) Detach(ctx context.Context) error {
	err := background.Batches(ctx, maxDetached, func(ctx context.Context, limit, skip int32) (int64, error) {
		return s.store.DetachTickets(ctx, sqlc.DetachTicketsParams{MaxRows: limit, SkipRows: skip})
	})
	if err != nil {
		return err
	}
	return s.store.DeleteDetachedTeams(ctx)
}

// Unassign takes the open and pending tickets away from accounts that are disabled or no longer staff, in batches, so
// that they are found among the unassigned tickets.
func (s *Service) Unassign(ctx context.Context) error {
	return background.Batches(ctx, maxDetached, func(ctx context.Context, limit, skip int32) (int64, error) {
		return s.store.UnassignTickets(ctx, sqlc.UnassignTicketsParams{MaxRows: limit, SkipRows: skip})
	})
}

// Tasks returns the periodic tasks that remove deleted teams, and staff who are gone, from their tickets.
func (s *Service) Tasks() []background.Task {
	return []background.Task{
		{Name: "detach_teams", Every: detachInterval, Do: s.Detach},
		{Name: "unassign_tickets", Every: detachInterval, Do: s.Unassign},
	}
}
