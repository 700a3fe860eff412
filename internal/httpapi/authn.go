package httpapi

import (
	"context"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/httpapi/contract"
)

const headerOnBehalfOf = "X-On-Behalf-Of"

// meter finds out who asks, whether they may call the operation, and whether they call too often. Credentials that are
// refused count for the address that they come from: nobody may try them out without end.
func (s *Server) meter(c echo.Context, op *contract.Operation) error {
	err := s.authorize(c, op)
	if apperr.Is(err, apperr.DBUnavailable) || apperr.Is(err, apperr.DBBusy) {
		return err // It is not known whose request it is.
	}
	if infoFrom(c.Request().Context()).counted {
		return err
	}
	if err := s.limit(c, op); err != nil {
		return err
	}
	return err
}

// authorize finds out who asks, for whom, and whether they may call the operation. Everybody may call a public one.
func (s *Server) authorize(c echo.Context, op *contract.Operation) error {
	if op.Role == "" {
		return op.CheckOnBehalfOf(headerOnBehalfOf, c.Request().Header.Values(headerOnBehalfOf))
	}
	ctx := c.Request().Context()
	actor, err := s.authenticate(c, op)
	if err != nil {
		return err
	}
	info := infoFrom(ctx)
	info.actor = actor
	for _, scope := range op.Scopes {
		if !actor.InScope(auth.Scope(scope)) {
			return apperr.New(apperr.Forbidden, "The API key's scopes do not allow this.")
		}
	}
	if actor, err = s.onBehalf(c, op, actor); err != nil {
		return err
	}
	info.actor = actor
	info.permit = permit{
		every:        s.recheck,
		stillAllowed: func(ctx context.Context) error { return s.auth.Recheck(ctx, actor) },
	}
	if !actor.Has(auth.Role(op.Role)) {
		return apperr.New(apperr.Forbidden, "The account's role does not allow this.")
	}
	return nil
}

// onBehalf returns the customer whom the request is for, or the actor itself when it names none. Where nobody acts for
// others, the header is refused: one that changes who asks is never ignored.
func (s *Server) onBehalf(c echo.Context, op *contract.Operation, actor auth.Actor) (auth.Actor, error) {
	names := c.Request().Header.Values(headerOnBehalfOf)
	if len(names) == 0 {
		return actor, nil
	}
	if err := op.CheckOnBehalfOf(headerOnBehalfOf, names); err != nil {
		return auth.Actor{}, err
	}
	if op.QueryToken != "" && c.QueryParams().Has(op.QueryToken) {
		return auth.Actor{}, apperr.New(apperr.Forbidden, "A stream token acts for nobody but whom it was made for.")
	}
	return s.auth.ActFor(c.Request().Context(), actor, names[0])
}

// authenticate returns who asks, by the access token, the API key or, where the operation takes one, the token in the query.
func (s *Server) authenticate(c echo.Context, op *contract.Operation) (auth.Actor, error) {
	ctx, headers := c.Request().Context(), c.Request().Header.Values(echo.HeaderAuthorization)
	var tokens []string
	if op.QueryToken != "" {
		query, _ := contract.Query(c.Request().URL) // What is wrong with it is told to those who may ask.
		tokens = query[op.QueryToken]
	}
	if len(tokens) == 0 {
		token, err := bearerToken(headers)
		if err != nil {
			return auth.Actor{}, err
		}
		if s.auth.IsStranger(token) {
			return s.authenticateStranger(c, op, token)
		}
		return s.auth.Authenticate(ctx, token)
	}
	if len(tokens)+len(headers) > 1 {
		return auth.Actor{}, apperr.New(apperr.MalformedRequest, "There is more than one token.")
	}
	return s.auth.AuthenticateStream(ctx, tokens[0], c.Request().URL.Path)
}

// authenticateStranger returns whom a token speaks for that only the database knows. The request is counted for its address
// before the database is asked, and for the account instead if there is one: invented tokens cost no queries beyond the
// limit.
func (s *Server) authenticateStranger(c echo.Context, op *contract.Operation, token string) (auth.Actor, error) {
	ctx := c.Request().Context()
	info := infoFrom(ctx)
	info.counted = true
	if err := s.limit(c, op); err != nil {
		return auth.Actor{}, err
	}
	actor, err := s.auth.Authenticate(ctx, token)
	if info.counted = apperr.Is(err, apperr.InvalidToken); !info.counted {
		s.unlimit(c, op)
	}
	return actor, err
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
