package auth

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"

	"github.com/google/uuid"

	"github.com/supportbackend/support/internal/store"
)

const (
	// apiKeyPrefix makes an API key recognizable where it leaks: in a log, or in a repository.
	apiKeyPrefix = "sk_"
	// An API key is its id, 208 random bits and a checksum, in base64url. The checksum is not a secret: it saves the
	// database query for text that only resembles a key.
	apiKeyPayload  = len(uuid.UUID{}) + 26
	apiKeyChecksum = 6
	apiKeyBytes    = apiKeyPayload + apiKeyChecksum
	apiKeyLength   = len(apiKeyPrefix) + apiKeyBytes*4/3
	// shownKeyBytes of a key are shown to recognize it by. They are part of the id.
	shownKeyBytes = 9
)

// GenerateAPIKey returns a new key with the id, and the hash to store.
func GenerateAPIKey(id uuid.UUID) (key string, hash []byte) {
	raw := make([]byte, apiKeyPayload, apiKeyBytes)
	_, _ = rand.Read(raw[copy(raw, id[:]):]) // It never fails.
	checksum := sha256.Sum256(raw)
	raw = append(raw, checksum[:apiKeyChecksum]...)
	key = apiKeyPrefix + base64.RawURLEncoding.EncodeToString(raw)
	sum := sha256.Sum256([]byte(key))
	return key, sum[:]
}

// parseAPIKey returns the id that a key claims.
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

// APIKeyPrefix returns the first characters of the key with the id. They are not secret.
func APIKeyPrefix(id uuid.UUID) string {
	return apiKeyPrefix + base64.RawURLEncoding.EncodeToString(id[:shownKeyBytes])
}

// IsUnknownKey reports whether only the database can tell if the token is valid: it has the form of an API key, and this
// server has not verified it recently.
func (s *Service) IsUnknownKey(token string) bool {
	id, ok := parseAPIKey(token)
	if !ok {
		return false
	}
	hash := sha256.Sum256([]byte(token))
	known, seen := s.keys.recall(id)
	return !seen || subtle.ConstantTimeCompare(hash[:], known.keyHash[:]) != 1
}

// authenticateKey returns the account of an API key's service. It returns InvalidToken.
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

// keyPrincipal returns the principal of an API key. It returns InvalidToken.
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
	p := principal{actor: Actor{
		ID: row.ID, Email: row.Email, DisplayName: name(row.DisplayName), Role: row.Role, KeyID: id, ServiceID: row.ID,
		scopes: scopesOf(row.Scopes),
	}}
	copy(p.keyHash[:], row.KeyHash)
	s.keys.put(id, p, asked)
	return p, nil
}
