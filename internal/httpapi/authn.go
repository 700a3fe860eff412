package httpapi

import (
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/httpapi/contract"
)

const headerOnBehalfOf = "X-On-Behalf-Of"

// meter authorizes the request and applies the rate limit. Refused credentials count against the client's address,
// which limits guessing.
func (s *Server) meter(c echo.Context, op *contract.Operation) error {
	err := s.authorize(c, op)
	if apperr.Is(err, apperr.DBUnavailable) || apperr.Is(err, apperr.DBBusy) {
		return err // The caller is unknown.
	}
	if infoFrom(c.Request().Context()).counted {
		return err
	}
	if err := s.limit(c, op); err != nil {
		return err
	}
	return err
}

// authorize finds out who the caller is, whom they act for, and whether they may call the operation. Public operations
// are open to everybody.
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
	if !actor.Has(auth.Role(op.Role)) {
		return apperr.New(apperr.Forbidden, "The account's role does not allow this.")
	}
	return nil
}

// onBehalf returns the customer named by X-On-Behalf-Of, or the actor itself when there is no header. Operations that
// nobody may call for a customer refuse the header: ignoring it would change whose data is read.
func (s *Server) onBehalf(c echo.Context, op *contract.Operation, actor auth.Actor) (auth.Actor, error) {
	names := c.Request().Header.Values(headerOnBehalfOf)
	if len(names) == 0 {
		return actor, nil
	}
	if err := op.CheckOnBehalfOf(headerOnBehalfOf, names); err != nil {
		return auth.Actor{}, err
	}
	if op.QueryToken != "" && c.QueryParams().Has(op.QueryToken) {
		return auth.Actor{}, apperr.New(apperr.Forbidden, "A stream token acts only for the account that it was created for.")
	}
	return s.Auth.ActFor(c.Request().Context(), actor, names[0])
}

// authenticate returns the actor of the access token, the API key or, where the operation accepts one, the token in the
// query.
func (s *Server) authenticate(c echo.Context, op *contract.Operation) (auth.Actor, error) {
	ctx, headers := c.Request().Context(), c.Request().Header.Values(echo.HeaderAuthorization)
	var tokens []string
	if op.QueryToken != "" {
		query, _ := contract.Query(c.Request().URL) // Faults in the query are reported later, and only to authorized callers.
		tokens = query[op.QueryToken]
	}
	if len(tokens) == 0 {
		token, err := bearerToken(headers)
		if err != nil {
			return auth.Actor{}, err
		}
		if s.Auth.IsUnknownKey(token) {
			return s.authenticateUnknownKey(c, op, token)
		}
		return s.Auth.Authenticate(ctx, token)
	}
	if len(tokens)+len(headers) > 1 {
		return auth.Actor{}, apperr.New(apperr.MalformedRequest, "There is more than one token.")
	}
	return s.Auth.AuthenticateStream(ctx, tokens[0], c.Request().URL.Path)
}

// authenticateUnknownKey authenticates an API key that only the database can identify. It counts the request for the
// client's address before it queries the database, and moves the count to the account afterwards. So invented keys
// cause no queries beyond the limit.
func (s *Server) authenticateUnknownKey(c echo.Context, op *contract.Operation, token string) (auth.Actor, error) {
	ctx := c.Request().Context()
	info := infoFrom(ctx)
	info.counted = true
	if err := s.limit(c, op); err != nil {
		return auth.Actor{}, err
	}
	actor, err := s.Auth.Authenticate(ctx, token)
	if info.counted = apperr.Is(err, apperr.InvalidToken); !info.counted {
		s.unlimit(c, op)
	}
	return actor, err
}

// bearerToken reads the Authorization header (RFC 6750, section 2.1). The scheme is case-insensitive. Another scheme
// counts as no token.
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
