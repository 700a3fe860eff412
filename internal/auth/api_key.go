package auth

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/page"
	"github.com/supportbackend/support/internal/store"
)

const (
	// apiKeyPrefix makes an API key known wherever it turns up: in a log, or in somebody's repository.
	apiKeyPrefix = "sk_"
	// An API key is its id, 208 random bits and a checksum, in base64url. The checksum is no secret: it spares the database
	// the question for what is only similar to a key.
	apiKeyPayload  = len(uuid.UUID{}) + 26
	apiKeyChecksum = 6
	apiKeyBytes    = apiKeyPayload + apiKeyChecksum
	apiKeyLength   = len(apiKeyPrefix) + apiKeyBytes*4/3
	// maxYear is the last one that RFC 3339 can write.
	maxYear = 9999
	// shownKeyBytes of a key are shown to recognise it by. They are of the id.
	shownKeyBytes = 9

	// noPassword is what accounts have that nobody can log in to instead of a hash.
	noPassword = "!"
	// serviceDomain and customerDomain make the addresses of such accounts. Nobody has them (RFC 2606, section 2).
	serviceDomain  = "@service.invalid"
	customerDomain = "@customer.invalid"
)

// NewAPIKey is what an API key is to be.
type NewAPIKey struct {
	Name   string
	Scopes []Scope
	// Role is that of the new service's account; empty for RoleUser. It goes with no ServiceID.
	Role Role
	// ServiceID is the service that gets a further key; nil for a new one.
	ServiceID *uuid.UUID
	// ExpiresAt is when it ends (RFC 3339); nil for never.
	ExpiresAt *string
}

func newAPIKey(id uuid.UUID) (key string, hash []byte) {
	raw := make([]byte, apiKeyPayload, apiKeyBytes)
	_, _ = rand.Read(raw[copy(raw, id[:]):]) // It never fails.
	checksum := sha256.Sum256(raw)
	raw = append(raw, checksum[:apiKeyChecksum]...)
	key = apiKeyPrefix + base64.RawURLEncoding.EncodeToString(raw)
	sum := sha256.Sum256([]byte(key))
	return key, sum[:]
}

// parseAPIKey returns the id that a key claims to have.
func parseAPIKey(key string) (uuid.UUID, bool) {
	if len(key) != apiKeyLength {
		return uuid.Nil, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(key[len(apiKeyPrefix):])
	if err != nil || len(raw) != apiKeyBytes {
		return uuid.Nil, false
	}
	checksum := sha256.Sum256(raw[:apiKeyPayload])
	return uuid.UUID(raw[:len(uuid.UUID{})]), bytes.Equal(checksum[:apiKeyChecksum], raw[apiKeyPayload:])
}

// APIKeyPrefix returns how the key with the id begins. There is nothing secret in it.
func APIKeyPrefix(id uuid.UUID) string {
	return apiKeyPrefix + base64.RawURLEncoding.EncodeToString(id[:shownKeyBytes])
}

// CreateAPIKey makes an API key, and an account for its service unless it is a further key of one. The caller has decided
// that the actor may. The key itself is returned here and nowhere else.
//
// It returns ValidationFailed for an account that is no service's, for a role that does not go with one, and for a time that
// is none or has passed.
func (s *Service) CreateAPIKey(
	ctx context.Context, actor Actor, n NewAPIKey,
) (row sqlc.ListAPIKeysRow, key string, err error) {
	expires, err := s.expiryOf(n)
	if err != nil {
		return row, "", err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return row, "", fmt.Errorf("auth: make an id: %w", err)
	}
	key, hash := newAPIKey(id)
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		service, err := s.serviceOf(ctx, n)
		if err != nil {
			return err
		}
		names := make([]string, len(n.Scopes))
		for i, scope := range n.Scopes {
			names[i] = string(scope)
		}
		created, err := s.store.CreateAPIKey(ctx, sqlc.CreateAPIKeyParams{
			ID: id, ServiceID: service.ID, Name: n.Name, KeyHash: hash, Scopes: names, ExpiresAt: expires,
		})
		row = sqlc.ListAPIKeysRow{
			ID: id, ServiceID: service.ID, Name: n.Name, Scopes: names, CreatedAt: created, ExpiresAt: expires, Role: service.Role,
		}
		return err
	})
	switch {
	case errors.Is(err, store.ErrNoRows):
		return row, "", invalidField("/service_id", apperr.NotAllowed)
	case err != nil:
		return row, "", err
	}
	s.warn(ctx, "api key created", row.ServiceID, slog.Any("api_key_id", id), slog.Any("by_user_id", actor.ID))
	return row, key, nil
}

// serviceOf returns the account that a key is for. It returns store.ErrNoRows when there is none.
func (s *Service) serviceOf(ctx context.Context, n NewAPIKey) (sqlc.User, error) {
	switch {
	case n.ServiceID != nil && n.Role != "":
		return sqlc.User{}, invalidField("/role", apperr.NotAllowed)
	case n.ServiceID != nil:
		return s.store.GetUser(ctx, *n.ServiceID)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return sqlc.User{}, fmt.Errorf("auth: make an id: %w", err)
	}
	role := n.Role
	if role == "" {
		role = RoleUser
	}
	return s.store.CreateUser(ctx, sqlc.CreateUserParams{
		ID: id, Email: id.String() + serviceDomain, PasswordHash: noPassword, Role: role,
	})
}

// expiryOf returns when a key ends, nil for never, in the precision of the database.
func (s *Service) expiryOf(n NewAPIKey) (*time.Time, error) {
	if n.ExpiresAt == nil {
		return nil, nil //nolint:nilnil // Never is no error.
	}
	expires, err := time.Parse(time.RFC3339, *n.ExpiresAt)
	if err != nil {
		return nil, invalidField("/expires_at", apperr.InvalidFormat)
	}
	expires = expires.UTC().Truncate(time.Microsecond)
	if !expires.After(s.keys.now()) || expires.Year() > maxYear {
		return nil, invalidField("/expires_at", apperr.OutOfRange)
	}
	return &expires, nil
}

// ListAPIKeys returns a page of the API keys, newest first, and where the next page begins, if there is one. The caller has
// decided that the actor may see them.
func (s *Service) ListAPIKeys(ctx context.Context, p page.Page) ([]sqlc.ListAPIKeysRow, *page.Position, error) {
	after := p.AfterOr(page.Last)
	rows, err := s.store.ListAPIKeys(ctx, sqlc.ListAPIKeysParams{
		BeforeCreatedAt: after.CreatedAt, BeforeID: after.ID, MaxRows: p.Limit + 1,
	})
	if err != nil {
		return nil, nil, err
	}
	keys, next := page.Cut(rows, p.Limit, func(k sqlc.ListAPIKeysRow) page.Position {
		return page.Position{CreatedAt: k.CreatedAt, ID: k.ID}
	})
	return keys, next, nil
}

// RevokeAPIKey ends an API key, if it has not ended yet. The caller has decided that the actor may. It returns NotFound.
func (s *Service) RevokeAPIKey(ctx context.Context, actor Actor, id uuid.UUID) error {
	key, err := s.store.RevokeAPIKey(ctx, id)
	if err != nil {
		return store.NotFound(err)
	}
	s.keys.forget(id)
	if key.Revoked {
		s.warn(ctx, "api key revoked", key.ServiceID, slog.Any("api_key_id", id), slog.Any("by_user_id", actor.ID))
	}
	return nil
}

// IsStranger reports whether only the database knows if the token is good: it has the form of an API key, and this server
// has not seen it to be one lately.
func (s *Service) IsStranger(token string) bool {
	id, ok := parseAPIKey(token)
	if !ok {
		return false
	}
	hash := sha256.Sum256([]byte(token))
	known, seen := s.keys.recall(id)
	return !seen || subtle.ConstantTimeCompare(hash[:], known.keyHash[:]) != 1
}

// authenticateKey returns the service's account that an API key speaks for. It returns InvalidToken.
func (s *Service) authenticateKey(ctx context.Context, key string) (Actor, error) {
	id, ok := parseAPIKey(key)
	if !ok {
		return Actor{}, invalidToken(errToken)
	}
	p, err := s.keyPrincipal(ctx, id)
	if err != nil {
		return Actor{}, err
	}
	hash := sha256.Sum256([]byte(key))
	if subtle.ConstantTimeCompare(hash[:], p.keyHash[:]) != 1 {
		return Actor{}, invalidToken(errToken)
	}
	s.used.add(id)
	return p.actor, nil
}

// keyPrincipal returns whom an API key speaks for. It returns InvalidToken.
func (s *Service) keyPrincipal(ctx context.Context, id uuid.UUID) (principal, error) {
	if p, ok := s.keys.get(id); ok {
		return p, nil
	}
	asked := s.keys.now()
	row, err := s.store.GetAPIKeyAccount(ctx, id)
	if errors.Is(err, store.ErrNoRows) {
		s.keys.forget(id)
		return principal{}, invalidToken(err)
	}
	if err != nil {
		return principal{}, err
	}
	p := principal{actor: Actor{ID: row.ID, Email: row.Email, Role: row.Role, KeyID: id, scopes: scopesOf(row.Scopes)}}
	copy(p.keyHash[:], row.KeyHash)
	s.keys.put(id, p, asked)
	return p, nil
}
