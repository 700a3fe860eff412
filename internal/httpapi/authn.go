package httpapi

import (
	"context"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
)

// admit finds out who asks, whether they may call the operation, and whether they call too often. Credentials that are
// refused count for the address that they come from: nobody may try them out without end.
func (s *Server) admit(c echo.Context, op *operation) error {
	err := s.authorize(c, op)
	if apperr.Is(err, apperr.DBUnavailable) || apperr.Is(err, apperr.DBBusy) {
		return err // It is not known whose request it is.
	}
	if err := s.limit(c, op); err != nil {
		return err
	}
	return err
}

// authorize finds out who asks and whether they may call the operation. Everybody may call a public one.
func (s *Server) authorize(c echo.Context, op *operation) error {
	if op.role == "" {
		return nil
	}
	ctx := c.Request().Context()
	actor, err := s.authenticate(c, op)
	if err != nil {
		return err
	}
	info := infoFrom(ctx)
	info.actor = actor
	info.permit = permit{
		every:        s.recheck,
		stillAllowed: func(ctx context.Context) error { return s.auth.Recheck(ctx, actor) },
	}
	if !actor.Has(op.role) {
		return apperr.New(apperr.Forbidden, "The account's role does not allow this.")
	}
	return nil
}

// authenticate returns who asks, by the access token or, where the operation takes one, the token in the query.
func (s *Server) authenticate(c echo.Context, op *operation) (auth.Actor, error) {
	ctx, headers := c.Request().Context(), c.Request().Header.Values(echo.HeaderAuthorization)
	tokens := c.QueryParams()[op.queryToken]
	if op.queryToken == "" || len(tokens) == 0 {
		token, err := bearerToken(headers)
		if err != nil {
			return auth.Actor{}, err
		}
		return s.auth.Authenticate(ctx, token)
	}
	if len(tokens)+len(headers) > 1 {
		return auth.Actor{}, apperr.New(apperr.MalformedRequest, "There is more than one token.")
	}
	return s.auth.AuthenticateStream(ctx, tokens[0], c.Request().URL.Path)
}

// bearerToken reads the Authorization header (RFC 6750, section 2.1). The scheme's case does not matter. Another scheme
// is no token at all.
func bearerToken(headers []string) (string, error) {
	if len(headers) > 1 {
		return "", apperr.New(apperr.MalformedRequest, "There is more than one Authorization header.")
	}
	if len(headers) == 1 {
		scheme, token, _ := strings.Cut(headers[0], " ")
		if strings.EqualFold(scheme, "Bearer") {
			return strings.TrimLeft(token, " "), nil
		}
	}
	return "", apperr.New(apperr.Unauthenticated, "This operation needs an access token.")
}
