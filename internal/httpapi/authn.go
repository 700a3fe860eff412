package httpapi

import (
	"context"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/supportbackend/support/internal/apperr"
)

// authorize finds out who asks and whether they may call the operation. Everybody may call a public one.
func (s *Server) authorize(c echo.Context, op *operation) error {
	if op.role == "" {
		return nil
	}
	token, err := bearerToken(c.Request().Header.Values(echo.HeaderAuthorization))
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	actor, err := s.auth.Authenticate(ctx, token)
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
