package account

import (
	"context"
	"log/slog"
	"slices"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/page"
	"github.com/supportbackend/support/internal/store"
)

// View is an account. If it belongs to a service's customer whom the actor may see, it has the customer's names.
type View = sqlc.ListUsersRow

// Filter selects accounts.
type Filter struct {
	// Email is the beginning of their addresses; empty for all. It is normalized as addresses are.
	Email string
	// Role is their role; nil for all.
	Role *auth.Role
	// Staff leaves customers out.
	Staff bool
	// IDs are the accounts' ids; nil for all.
	IDs []uuid.UUID
}

// Change is a change of an account; a nil member leaves its value unchanged.
type Change struct {
	Role     *auth.Role
	Disabled *bool
	// DisplayName is shown with the account's messages; null clears it.
	DisplayName nullable.Nullable[string]
}

// List returns a page of accounts, newest first, and where the next page begins, if there is one. The caller has
// decided that the actor may see them.
func (s *Service) List(ctx context.Context, actor auth.Actor, f Filter, p page.Page) ([]View, *page.Position, error) {
	prefix, possible := foldEmail(f.Email)
	if !possible {
		return []View{}, nil, nil
	}
	return page.Read(p, func(before page.Position, limit int32) ([]View, error) {
		allCustomers := actor.SeesCustomers()
		// Each of the lists has an index of its own.
		switch {
		case f.IDs != nil:
			return views(s.store.ListUsersByID(ctx, sqlc.ListUsersByIDParams{
				ServiceID: actor.ID, AllCustomers: allCustomers, IDs: f.IDs, Prefix: prefix, Role: f.Role, OnlyStaff: f.Staff,
				BeforeCreatedAt: before.CreatedAt, BeforeID: before.ID, MaxRows: limit,
			}))
		case prefix != "":
			return views(s.store.ListUsersByEmailPrefix(ctx, sqlc.ListUsersByEmailPrefixParams{
				ServiceID: actor.ID, AllCustomers: allCustomers, Prefix: prefix, Role: f.Role, OnlyStaff: f.Staff,
				BeforeCreatedAt: before.CreatedAt, BeforeID: before.ID, MaxRows: limit,
			}))
		case f.Staff || f.Role != nil && *f.Role != auth.RoleUser:
			return views(s.store.ListStaff(ctx, sqlc.ListStaffParams{
				ServiceID: actor.ID, AllCustomers: allCustomers, Role: f.Role,
				BeforeCreatedAt: before.CreatedAt, BeforeID: before.ID, MaxRows: limit,
			}))
		default:
			return s.store.ListUsers(ctx, sqlc.ListUsersParams{
				ServiceID: actor.ID, AllCustomers: allCustomers, Role: f.Role,
				BeforeCreatedAt: before.CreatedAt, BeforeID: before.ID, MaxRows: limit,
			})
		}
	}, func(u View) page.Position { return page.At(u.User.CreatedAt, u.User.ID) })
}

// views converts the rows of a list.
func views[Row sqlc.ListStaffRow | sqlc.ListUsersByEmailPrefixRow | sqlc.ListUsersByIDRow](rows []Row, err error) ([]View, error) {
	users := make([]View, 0, len(rows))
	for _, row := range rows {
		users = append(users, View(row))
	}
	return users, err
}

// Find returns an account that the actor may see: staff see all, services those of their customers, everybody
// their own. It returns NotFound.
func (s *Service) Find(ctx context.Context, actor auth.Actor, id uuid.UUID) (View, error) {
	user, err := s.store.FindUser(ctx, sqlc.FindUserParams{
		ID: id, ActorID: actor.ID, Staff: actor.IsStaff(), AllCustomers: actor.SeesCustomers(),
	})
	return View(user), store.NotFound(err)
}

// NameCustomer sets or clears the name that a service gives to one of its customers. It returns NotFound for everybody
// but the actor's customers.
func (s *Service) NameCustomer(
	ctx context.Context, actor auth.Actor, id uuid.UUID, name *string,
) (sqlc.ServiceCustomer, error) {
	customer, err := s.store.UpdateServiceCustomer(ctx, sqlc.UpdateServiceCustomerParams{
		ServiceID: actor.ID, UserID: id, DisplayName: name, ActorKind: actor.Kind(),
	})
	return customer, store.NotFound(err)
}

// Update changes an account's role or name, or disables or enables it. Any change but that of the name ends the
// account's access tokens; disabling it also ends its sessions. A change that changes nothing has no effect.
//
// It returns NotFound, and LastAdmin when no enabled administrator would be left.
func (s *Service) Update(
	ctx context.Context, actor auth.Actor, id uuid.UUID, change Change,
) (account View, err error) {
	var before, after sqlc.User
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		// Locked for every change: there are few administrators.
		admins, err := s.store.LockEnabledAdmins(ctx)
		if err != nil {
			return err
		}
		locked, err := s.store.LockUser(ctx, sqlc.LockUserParams{
			ID: id, ServiceID: actor.ID, AllCustomers: actor.SeesCustomers(),
		})
		if err != nil {
			return store.NotFound(err)
		}
		account, before = View(locked), locked.User
		role, disabled := before.Role, before.DisabledAt != nil
		if change.Role != nil {
			role = *change.Role
		}
		if change.Disabled != nil {
			disabled = *change.Disabled
		}
		if after, err = s.rename(ctx, actor, before, change.DisplayName); err != nil {
			return err
		}
		if role == before.Role && disabled == (before.DisabledAt != nil) {
			return nil
		}
		if (role != auth.RoleAdmin || disabled) && slices.Equal(admins, []uuid.UUID{id}) {
			return apperr.New(apperr.LastAdmin, "This is the last administrator who can log in.")
		}
		after, err = s.store.UpdateUserAccess(ctx, sqlc.UpdateUserAccessParams{
			ID: id, Role: role, Disabled: disabled, ActorKind: actor.Kind(), UpdatedBy: actor.ID,
		})
		if err != nil || !disabled {
			return err
		}
		_, err = s.store.DeleteSessionsByUser(ctx, sqlc.DeleteSessionsByUserParams{UserID: id})
		return err
	})
	if err != nil {
		return View{}, err
	}
	s.auth.ForgetAccount(id)
	s.reportChange(ctx, actor, before, after)
	account.User = after
	return account, nil
}

// UpdateOwn sets or clears the actor's own name.
func (s *Service) UpdateOwn(ctx context.Context, actor auth.Actor, name nullable.Nullable[string]) (after sqlc.User, err error) {
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		locked, err := s.store.LockUser(ctx, sqlc.LockUserParams{ID: actor.ID, ServiceID: actor.ID})
		if err != nil {
			return store.NotFound(err)
		}
		after, err = s.rename(ctx, actor, locked.User, name)
		return err
	})
	if err == nil {
		s.auth.ForgetAccount(actor.ID)
	}
	return after, err
}

// rename sets the name of a locked account, unless it has that name already.
func (s *Service) rename(
	ctx context.Context, actor auth.Actor, u sqlc.User, change nullable.Nullable[string],
) (sqlc.User, error) {
	var name *string
	if text, err := change.Get(); err == nil {
		name = &text
	}
	same := name == u.DisplayName || name != nil && u.DisplayName != nil && *name == *u.DisplayName
	if !change.IsSpecified() || same {
		return u, nil
	}
	return s.store.UpdateUserName(ctx, sqlc.UpdateUserNameParams{
		ID: u.ID, DisplayName: name, ActorKind: actor.Kind(), UpdatedBy: actor.ID,
	})
}

func (s *Service) reportChange(ctx context.Context, actor auth.Actor, before, after sqlc.User) {
	report := func(event string, attrs ...slog.Attr) {
		attrs = append([]slog.Attr{slog.Any("by_user_id", actor.ID)}, attrs...)
		s.auth.LogSecurity(ctx, slog.LevelWarn, event, after.ID, attrs...)
	}
	if before.Role != after.Role {
		report("role changed", slog.String("from", string(before.Role)), slog.String("to", string(after.Role)))
	}
	switch wasDisabled, isDisabled := before.DisabledAt != nil, after.DisabledAt != nil; {
	case isDisabled && !wasDisabled:
		report("user disabled")
	case wasDisabled && !isDisabled:
		report("user enabled")
	}
}
