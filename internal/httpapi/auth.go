package httpapi

import (
	"context"

	"github.com/supportbackend/support/gen/api"
)

// SignUp creates a customer account.
func (s *Server) SignUp(ctx context.Context, r api.SignUpRequestObject) (api.SignUpResponseObject, error) {
	user, err := s.Accounts.SignUp(ctx, clientFrom(ctx), fromSignUpRequest(*r.Body))
	if err != nil {
		return nil, err
	}
	return api.SignUp201JSONResponse(toUser(user)), nil
}

// LogIn exchanges credentials, as JSON or in the OAuth 2.0 form, for the tokens of a new session.
func (s *Server) LogIn(ctx context.Context, r api.LogInRequestObject) (api.LogInResponseObject, error) {
	email, password := credentials(r)
	tokens, err := s.Accounts.LogIn(ctx, clientFrom(ctx), email, password)
	if err != nil {
		return nil, err
	}
	return api.LogIn200JSONResponse(toAccessToken(tokens)), nil
}

func credentials(r api.LogInRequestObject) (email, password string) {
	if form := r.FormdataBody; form != nil {
		return form.Username, form.Password
	}
	return r.JSONBody.Email, r.JSONBody.Password
}

// GetMe returns the caller's account.
func (s *Server) GetMe(ctx context.Context, _ api.GetMeRequestObject) (api.GetMeResponseObject, error) {
	return api.GetMe200JSONResponse{Body: toMe(actorFrom(ctx))}, nil
}

// UpdateMe changes the caller's own name.
func (s *Server) UpdateMe(ctx context.Context, r api.UpdateMeRequestObject) (api.UpdateMeResponseObject, error) {
	user, err := s.Accounts.UpdateOwn(ctx, actorFrom(ctx), r.Body.DisplayName)
	if err != nil {
		return nil, err
	}
	return api.UpdateMe200JSONResponse(toUser(user)), nil
}
