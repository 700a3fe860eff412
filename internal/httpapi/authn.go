package httpapi

import (
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/supportbackend/support/internal/apperr"
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
	token, err := bearerToken(c.Request().Header.Values(echo.HeaderAuthorization))
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	actor, err := s.auth.Authenticate(ctx, token)
	if err != nil {
		return err
	}
	infoFrom(ctx).actor = actor
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
