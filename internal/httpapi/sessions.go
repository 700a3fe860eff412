package httpapi

import (
	"context"

	"github.com/supportbackend/support/gen/api"
)

const sessionsPath = "/auth/sessions"

// RefreshSession exchanges a refresh token for the session's next tokens.
func (s *Server) RefreshSession(
	ctx context.Context, r api.RefreshSessionRequestObject,
) (api.RefreshSessionResponseObject, error) {
	tokens, err := s.Sessions.Refresh(ctx, r.Body.RefreshToken)
	if err != nil {
		return nil, err
	}
	return api.RefreshSession200JSONResponse(toAccessToken(tokens)), nil
}

// LogOut ends the caller's session.
func (s *Server) LogOut(ctx context.Context, _ api.LogOutRequestObject) (api.LogOutResponseObject, error) {
	if err := s.Sessions.LogOut(ctx, actorFrom(ctx)); err != nil {
		return nil, err
	}
	return api.LogOut204Response{}, nil
}

// ListSessions returns a page of the caller's sessions.
func (s *Server) ListSessions(
	ctx context.Context, r api.ListSessionsRequestObject,
) (api.ListSessionsResponseObject, error) {
	actor := actorFrom(ctx)
	page, err := s.cursors.page(actor, sessionsPath, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	sessions, next, err := s.Sessions.List(ctx, actor, page)
	if err != nil {
		return nil, err
	}
	return api.ListSessions200JSONResponse{
		Body:    convertAll(sessions, toSession(actor)),
		Headers: api.ListSessions200ResponseHeaders{Link: s.cursors.link(actor, sessionsPath, page, next)},
	}, nil
}

// EndSession ends one of the caller's sessions.
func (s *Server) EndSession(ctx context.Context, r api.EndSessionRequestObject) (api.EndSessionResponseObject, error) {
	if err := s.Sessions.End(ctx, actorFrom(ctx), r.SessionID); err != nil {
		return nil, err
	}
	return api.EndSession204Response{}, nil
}

// ChangePassword changes the caller's password.
func (s *Server) ChangePassword(
	ctx context.Context, r api.ChangePasswordRequestObject,
) (api.ChangePasswordResponseObject, error) {
	err := s.Accounts.ChangePassword(ctx, clientFrom(ctx), actorFrom(ctx), r.Body.CurrentPassword, r.Body.NewPassword)
	if err != nil {
		return nil, err
	}
	return api.ChangePassword204Response{}, nil
}
