// Package apikey manages API keys, and the accounts of the services that hold them. What a key allows is in package auth.
package apikey

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/account"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/page"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/timestamp"
	"github.com/supportbackend/support/internal/uuid7"
)

const (
	// serviceDomain is the domain of the addresses of services' accounts. No real address has it (RFC 2606, section 2).
	serviceDomain = "@service.invalid"
)

// Service creates, lists and revokes API keys. Besides the errors that its methods name, each returns the errors of
// store.Store.
type Service struct {
	store *store.Store
	auth  *auth.Service
}

// NewService returns a Service. It tells authn about the keys that it revokes, so that this server refuses them at once.
func NewService(s *store.Store, authn *auth.Service) *Service { return &Service{store: s, auth: authn} }

// NewKey describes a new API key.
type NewKey struct {
	Name   string
	Scopes []auth.Scope
	// Role is the role of a new service's account; empty means auth.RoleUser. It excludes ServiceID.
	Role auth.Role
	// ServiceID is the existing service that gets the key; nil creates a new service.
	ServiceID *uuid.UUID
	// ExpiresAt is when it ends (RFC 3339); nil for never.
	ExpiresAt *string
}

// Create creates an API key and, unless it is for an existing service, the service's account. The caller has
// decided that the actor may. Nothing else ever returns the key itself.
//
// It returns ValidationFailed for an account that is not a service's, for a role together with a service's id, and for
// an expiry time that is malformed or has passed.
func (s *Service) Create(
	ctx context.Context, actor auth.Actor, n NewKey,
) (row sqlc.ListAPIKeysRow, key string, err error) {
	expires, err := s.expiryOf(ctx, n)
	if err != nil {
		return row, "", err
	}
	id := uuid7.New()
	key, hash := auth.GenerateAPIKey(id)
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		service, err := s.serviceOf(ctx, actor, n)
		if err != nil {
			return err
		}
		names := make([]string, len(n.Scopes))
		for i, scope := range n.Scopes {
			names[i] = string(scope)
		}
		created, err := s.store.CreateAPIKey(ctx, sqlc.CreateAPIKeyParams{
			ID: id, ServiceID: service.ID, Name: n.Name, KeyHash: hash, Scopes: names, ExpiresAt: expires,
			ActorKind: actor.Kind(), CreatedBy: actor.ID,
		})
		row = sqlc.ListAPIKeysRow{
			ID: id, ServiceID: service.ID, Name: n.Name, Scopes: names, CreatedAt: created, ExpiresAt: expires, Role: service.Role,
		}
		return err
	})
	switch {
	case errors.Is(err, store.ErrNoRows):
		return row, "", apperr.Invalid(apperr.Field{Pointer: "/service_id", Code: apperr.NotAllowed})
	case err != nil:
		return row, "", err
	}
	s.log(ctx, "api key created", id, row.ServiceID, actor)
	return row, key, nil
}

// serviceOf returns the account of the service that gets the key. It returns store.ErrNoRows for an unknown service.
func (s *Service) serviceOf(ctx context.Context, actor auth.Actor, n NewKey) (sqlc.User, error) {
	switch {
	case n.ServiceID != nil && n.Role != "":
		return sqlc.User{}, apperr.Invalid(apperr.Field{Pointer: "/role", Code: apperr.NotAllowed})
	case n.ServiceID != nil:
		return s.store.GetUser(ctx, *n.ServiceID)
	}
	id := uuid7.New()
	role := n.Role
	if role == "" {
		role = auth.RoleUser
	}
	user, err := s.store.CreateUser(ctx, sqlc.CreateUserParams{
		ID: id, Email: id.String() + serviceDomain, PasswordHash: account.NoPassword, Role: role,
		CreatorKind: new(actor.Kind()), CreatedBy: &actor.ID,
	})
	return sqlc.User(user), err
}

// expiryOf returns when a key expires, nil for never, in the database's precision.
func (s *Service) expiryOf(ctx context.Context, n NewKey) (*time.Time, error) {
	if n.ExpiresAt == nil {
		return nil, nil //nolint:nilnil // Nil means never.
	}
	expires, code := timestamp.Parse(*n.ExpiresAt)
	if code != "" {
		return nil, apperr.Invalid(apperr.Field{Pointer: "/expires_at", Code: code})
	}
	passed, err := s.store.GetHasPassed(ctx, expires)
	if err == nil && passed {
		err = apperr.Invalid(apperr.Field{Pointer: "/expires_at", Code: apperr.OutOfRange})
	}
	return &expires, err
}

// List returns a page of the API keys, newest first, and where the next page begins, if there is one. The caller has
// decided that the actor may see them.
func (s *Service) List(ctx context.Context, p page.Page) ([]sqlc.ListAPIKeysRow, *page.Position, error) {
	return page.Read(p, func(before page.Position, limit int32) ([]sqlc.ListAPIKeysRow, error) {
		return s.store.ListAPIKeys(ctx, sqlc.ListAPIKeysParams{
			BeforeCreatedAt: before.CreatedAt, BeforeID: before.ID, MaxRows: limit,
		})
	}, func(k sqlc.ListAPIKeysRow) page.Position { return page.At(k.CreatedAt, k.ID) })
}

// Revoke revokes an API key. Revoking it again changes nothing. The caller has decided that the actor may. It
// returns NotFound.
func (s *Service) Revoke(ctx context.Context, actor auth.Actor, id uuid.UUID) error {
	key, err := s.store.RevokeAPIKey(ctx, sqlc.RevokeAPIKeyParams{ID: id, ActorKind: actor.Kind(), RevokedBy: actor.ID})
	if err != nil {
		return store.NotFound(err)
	}
	s.auth.ForgetAPIKey(id)
	if key.Revoked {
		s.log(ctx, "api key revoked", id, key.ServiceID, actor)
	}
	return nil
}

func (s *Service) log(ctx context.Context, event string, key, service uuid.UUID, actor auth.Actor) {
	s.auth.LogSecurity(ctx, slog.LevelWarn, event, service, slog.Any("api_key_id", key), slog.Any("by_user_id", actor.ID))
}
