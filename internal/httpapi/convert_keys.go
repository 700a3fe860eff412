package httpapi

import (
	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apikey"
	"github.com/supportbackend/support/internal/auth"
)

// The bridge between rows and the wire, of API keys.

func toAPIKey(k sqlc.ListAPIKeysRow) api.APIKey {
	return api.APIKey{
		ID:         k.ID,
		ServiceID:  k.ServiceID,
		Name:       k.Name,
		Prefix:     auth.APIKeyPrefix(k.ID),
		Role:       api.Role(k.Role),
		Scopes:     convertAll(k.Scopes, func(name string) api.Scope { return api.Scope(name) }),
		CreatedAt:  toTimestamp(k.CreatedAt),
		LastUsedAt: toOptionalTimestamp(k.LastUsedAt),
		ExpiresAt:  toOptionalTimestamp(k.ExpiresAt),
		RevokedAt:  toOptionalTimestamp(k.RevokedAt),
	}
}

func toCreatedAPIKey(k sqlc.ListAPIKeysRow, key string) api.CreatedAPIKey {
	shown := toAPIKey(k)
	return api.CreatedAPIKey{
		ID:        shown.ID,
		ServiceID: shown.ServiceID,
		Name:      shown.Name,
		Prefix:    shown.Prefix,
		Role:      shown.Role,
		Scopes:    shown.Scopes,
		CreatedAt: shown.CreatedAt,
		ExpiresAt: shown.ExpiresAt,
		Key:       key,
	}
}

func fromCreateAPIKeyRequest(r api.CreateAPIKeyRequest) apikey.NewKey {
	return apikey.NewKey{
		Name:      r.Name,
		Scopes:    convertAll(r.Scopes, func(name api.Scope) auth.Scope { return auth.Scope(name) }),
		Role:      auth.Role(r.Role),
		ServiceID: r.ServiceID,
		ExpiresAt: r.ExpiresAt,
	}
}
