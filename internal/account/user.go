package account

import (
	"context"
	"log/slog"
	"slices"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/page"
	"github.com/supportbackend/support/internal/store"
)

// Filter says which accounts are wanted.
type Filter struct {
	// Email is how their addresses begin; empty for all. It is normalised as addresses are.
	Email string
	// Role is theirs; nil for all.
	Role *auth.Role
}

// Change is what is to be changed of an account; nil leaves it as it is.
type Change struct {
	Role     *auth.Role
	Disabled *bool
}

// ListAccounts returns a page of accounts, newest first, and where the next page begins, if there is one. The caller has
// decided that the actor may see them, here as in all that follows.
func (s *Service) ListAccounts(ctx context.Context, f Filter, p page.Page) ([]sqlc.User, *page.Position, error) {
	prefix, possible := foldEmail(f.Email)
	if !possible {
		return []sqlc.User{}, nil, nil
	}
	after := p.AfterOr(page.Last)
	var rows []sqlc.User
	var err error
	if prefix == "" {
		rows, err = s.store.ListUsers(ctx, sqlc.ListUsersParams{
			BeforeCreatedAt: after.CreatedAt, BeforeID: after.ID, Role: f.Role, MaxRows: p.Limit + 1,
		})
	} else {
		rows, err = s.store.ListUsersByEmailPrefix(ctx, sqlc.ListUsersByEmailPrefixParams{
			Prefix: prefix, BeforeCreatedAt: after.CreatedAt, BeforeID: after.ID, Role: f.Role, MaxRows: p.Limit + 1,
		})
	}
	if err != nil {
		return nil, nil, err
	}
	users, next := page.Cut(rows, p.Limit, func(u sqlc.User) page.Position {
		return page.Position{CreatedAt: u.CreatedAt, ID: u.ID}
	})
	return users, next, nil
}

// GetAccount returns an account. It returns NotFound.
func (s *Service) GetAccount(ctx context.Context, id uuid.UUID) (sqlc.User, error) {
	user, err := s.store.GetUser(ctx, id)
	return user, store.NotFound(err)
}

// UpdateAccount changes an account's role, or disables or enables it. The access tokens that it has end with any change, and
// when it is disabled its sessions do too. Nothing changes for an account that already is what it should be.
//
// It returns NotFound, and LastAdmin when no enabled administrator would be left.
func (s *Service) UpdateAccount(
	ctx context.Context, actor auth.Actor, id uuid.UUID, change Change,
) (after sqlc.User, err error) {
	var before sqlc.User
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		// Whatever the change is: it is one lock for each administrator, and there are few of them.
		admins, err := s.store.LockEnabledAdmins(ctx)
		if err != nil {
			return err
		}
		if before, err = s.store.LockUser(ctx, id); err != nil {
			return store.NotFound(err)
		}
		role, disabled := before.Role, before.DisabledAt != nil
		if change.Role != nil {
			role = *change.Role
		}
		if change.Disabled != nil {
			disabled = *change.Disabled
		}
		if role == before.Role && disabled == (before.DisabledAt != nil) {
			after = before
			return nil
		}
		if (role != auth.RoleAdmin || disabled) && slices.Equal(admins, []uuid.UUID{id}) {
			return apperr.New(apperr.LastAdmin, "This is the last administrator who can log in.")
		}
		after, err = s.store.UpdateUserAccess(ctx, sqlc.UpdateUserAccessParams{ID: id, Role: role, Disabled: disabled})
		if err != nil || !disabled {
			return err
		}
		_, err = s.store.DeleteSessionsByUser(ctx, sqlc.DeleteSessionsByUserParams{UserID: id})
		return err
	})
	if err != nil {
		return sqlc.User{}, err
	}
	s.auth.ForgetAccount(id)
	s.reportChange(ctx, actor, before, after)
	return after, nil
}

func (s *Service) reportChange(ctx context.Context, actor auth.Actor, before, after sqlc.User) {
	by := slog.Any("by_user_id", actor.ID)
	if before.Role != after.Role {
		s.warn(ctx, "role changed", after.ID, by, slog.String("from", string(before.Role)), slog.String("to", string(after.Role)))
	}
	switch wasDisabled, isDisabled := before.DisabledAt != nil, after.DisabledAt != nil; {
	case isDisabled && !wasDisabled:
		s.warn(ctx, "user disabled", after.ID, by)
	case wasDisabled && !isDisabled:
		s.warn(ctx, "user enabled", after.ID, by)
	}
}
