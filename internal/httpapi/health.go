package httpapi

import (
	"context"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/internal/apperr"
)

const (
	livenessPath  = "/livez"
	readinessPath = "/readyz"
)

// GetLiveness succeeds whenever the process can respond.
func (s *Server) GetLiveness(context.Context, api.GetLivenessRequestObject) (api.GetLivenessResponseObject, error) {
	return api.GetLiveness200JSONResponse{Status: api.HealthStatusOk}, nil
}

// GetReadiness succeeds while the server should receive requests.
func (s *Server) GetReadiness(
	ctx context.Context, _ api.GetReadinessRequestObject,
) (api.GetReadinessResponseObject, error) {
	if s.draining.Load() {
		return nil, apperr.New(apperr.Draining, "The server is shutting down.")
	}
	if err := s.readiness.check(ctx, false); err != nil {
		return nil, err
	}
	return api.GetReadiness200JSONResponse{Status: api.HealthStatusOk}, nil
}
