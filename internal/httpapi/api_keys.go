package httpapi

import (
	"context"

	"github.com/supportbackend/support/gen/api"
)

const apiKeysPath = "/api-keys"

// CreateAPIKey creates an API key for a service.
func (s *Server) CreateAPIKey(ctx context.Context, r api.CreateAPIKeyRequestObject) (api.CreateAPIKeyResponseObject, error) {
	row, key, err := s.APIKeys.Create(ctx, actorFrom(ctx), fromCreateAPIKeyRequest(*r.Body))
	if err != nil {
		return nil, err
	}
	return api.CreateAPIKey201JSONResponse(toCreatedAPIKey(row, key)), nil
}

// ListAPIKeys returns a page of API keys.
func (s *Server) ListAPIKeys(ctx context.Context, r api.ListAPIKeysRequestObject) (api.ListAPIKeysResponseObject, error) {
	actor := actorFrom(ctx)
	page, err := s.cursors.page(actor, apiKeysPath, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	keys, next, err := s.APIKeys.List(ctx, page)
	if err != nil {
		return nil, err
	}
	return api.ListAPIKeys200JSONResponse{
		Body:    convertAll(keys, toAPIKey),
		Headers: api.ListAPIKeys200ResponseHeaders{Link: s.cursors.link(actor, apiKeysPath, page, next)},
	}, nil
}

// RevokeAPIKey ends an API key.
func (s *Server) RevokeAPIKey(ctx context.Context, r api.RevokeAPIKeyRequestObject) (api.RevokeAPIKeyResponseObject, error) {
	if err := s.APIKeys.Revoke(ctx, actorFrom(ctx), r.APIKeyID); err != nil {
		return nil, err
	}
	return api.RevokeAPIKey204Response{}, nil
}
