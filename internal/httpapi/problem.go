package httpapi

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/internal/apperr"
)

const (
	mediaTypeProblem = "application/problem+json"

	// challenge names the protection space (RFC 6750, section 3).
	challenge = `Bearer realm="support"`

	// statusClientClosed is logged when the client is gone. It is never sent.
	statusClientClosed = 499

	maxPointerRunes = 255
	defaultRetry    = time.Second
)

// problemKind is what every problem of a code has in common.
type problemKind struct {
	status    int
	title     string
	retryable bool
}

// problems is the one table from code to status.
var problems = map[apperr.Code]problemKind{
	apperr.MalformedRequest:        {status: http.StatusBadRequest, title: "Malformed request"},
	apperr.InvalidParameter:        {status: http.StatusBadRequest, title: "Invalid parameter"},
	apperr.InvalidIdempotencyKey:   {status: http.StatusBadRequest, title: "Invalid idempotency key"},
	apperr.Unauthenticated:         {status: http.StatusUnauthorized, title: "Not authenticated"},
	apperr.InvalidCredentials:      {status: http.StatusUnauthorized, title: "Invalid credentials"},
	apperr.InvalidToken:            {status: http.StatusUnauthorized, title: "Invalid token"},
	apperr.TokenReuse:              {status: http.StatusUnauthorized, title: "Token reused"},
	apperr.Forbidden:               {status: http.StatusForbidden, title: "Forbidden"},
	apperr.RoleNotAllowed:          {status: http.StatusForbidden, title: "Role not allowed"},
	apperr.NotFound:                {status: http.StatusNotFound, title: "Not found"},
	apperr.MethodNotAllowed:        {status: http.StatusMethodNotAllowed, title: "Method not allowed"},
	apperr.NotAcceptable:           {status: http.StatusNotAcceptable, title: "Not acceptable"},
	apperr.EmailTaken:              {status: http.StatusConflict, title: "E-mail address taken"},
	apperr.ExternalIDTaken:         {status: http.StatusConflict, title: "External id taken"},
	apperr.NameTaken:               {status: http.StatusConflict, title: "Name taken"},
	apperr.LastAdmin:               {status: http.StatusConflict, title: "Last administrator"},
	apperr.TicketClosed:            {status: http.StatusConflict, title: "Ticket closed"},
	apperr.InvalidTransition:       {status: http.StatusConflict, title: "Invalid transition"},
	apperr.PromptPublished:         {status: http.StatusConflict, title: "Prompt published"},
	apperr.NothingToAnswer:         {status: http.StatusConflict, title: "Nothing to answer"},
	apperr.NothingToApply:          {status: http.StatusConflict, title: "Nothing to apply"},
	apperr.Superseded:              {status: http.StatusConflict, title: "Superseded"},
	apperr.Cancelled:               {status: http.StatusConflict, title: "Cancelled"},
	apperr.AIDisabled:              {status: http.StatusConflict, title: "AI disabled"},
	apperr.AIInReview:              {status: http.StatusConflict, title: "AI answer in review"},
	apperr.HandedOff:               {status: http.StatusConflict, title: "Handed off"},
	apperr.NotInReview:             {status: http.StatusConflict, title: "Not in review"},
	apperr.IdempotencyInProgress:   {status: http.StatusConflict, title: "Idempotency key in progress", retryable: true},
	apperr.PositionExpired:         {status: http.StatusGone, title: "Position expired"},
	apperr.PreconditionFailed:      {status: http.StatusPreconditionFailed, title: "Precondition failed"},
	apperr.PayloadTooLarge:         {status: http.StatusRequestEntityTooLarge, title: "Payload too large"},
	apperr.UnsupportedMediaType:    {status: http.StatusUnsupportedMediaType, title: "Unsupported media type"},
	apperr.ValidationFailed:        {status: http.StatusUnprocessableEntity, title: "Validation failed"},
	apperr.IdempotencyMismatch:     {status: http.StatusUnprocessableEntity, title: "Idempotency key mismatch"},
	apperr.WeakPassword:            {status: http.StatusUnprocessableEntity, title: "Weak password"},
	apperr.ConversationNotAccepted: {status: http.StatusUnprocessableEntity, title: "Conversation not accepted"},
	apperr.AIQuota:                 {status: http.StatusTooManyRequests, title: "AI quota used up", retryable: true},
	apperr.RateLimited:             {status: http.StatusTooManyRequests, title: "Rate limited", retryable: true},
	apperr.TooManyAttempts:         {status: http.StatusTooManyRequests, title: "Too many attempts", retryable: true},
	apperr.Internal:                {status: http.StatusInternalServerError, title: "Internal error"},
	apperr.AIMisconfigured:         {status: http.StatusBadGateway, title: "AI misconfigured"},
	apperr.AINoAnswer:              {status: http.StatusBadGateway, title: "AI gave no answer"},
	apperr.AIProtocol:              {status: http.StatusBadGateway, title: "AI protocol error", retryable: true},
	apperr.AIOverloaded:            {status: http.StatusServiceUnavailable, title: "AI overloaded", retryable: true},
	apperr.DBBusy:                  {status: http.StatusServiceUnavailable, title: "Database busy", retryable: true},
	apperr.DBUnavailable:           {status: http.StatusServiceUnavailable, title: "Database unavailable", retryable: true},
	apperr.Draining:                {status: http.StatusServiceUnavailable, title: "Shutting down", retryable: true},
	apperr.SchemaDirty:             {status: http.StatusServiceUnavailable, title: "Schema not ready", retryable: true},
	apperr.ServerBusy:              {status: http.StatusServiceUnavailable, title: "Server busy", retryable: true},
	apperr.TooManyStreams:          {status: http.StatusServiceUnavailable, title: "Too many streams", retryable: true},
	apperr.AIStalled:               {status: http.StatusGatewayTimeout, title: "AI stalled", retryable: true},
	apperr.AITimeout:               {status: http.StatusGatewayTimeout, title: "AI timeout", retryable: true},
}

// renderError responds with the problem for err. It is the only place where errors become responses.
func (s *Server) renderError(err error, c echo.Context) {
	ctx := c.Request().Context()
	info := infoFrom(ctx)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		// Nobody is waiting. A client that closed only its write side must not mistake an empty response for success.
		info.status, info.broken = statusClientClosed, true
		return
	}
	if c.Response().Committed {
		// The status has been sent: log the fault and close the connection.
		s.logger.WarnContext(ctx, "response cut off", slog.String("request_id", info.requestID), slog.Any("error", err))
		info.broken = true
		return
	}
	problem := s.problemOf(err, c)
	info.err = problem
	if err := writeProblem(c, problem, info.requestID); err != nil {
		s.logger.WarnContext(ctx, "problem not sent", slog.String("request_id", info.requestID), slog.Any("error", err))
	}
}

// problemOf returns err as one of our codes, Echo's own errors included.
func (s *Server) problemOf(err error, c echo.Context) *apperr.Error {
	var fromEcho *echo.HTTPError
	if !errors.As(err, &fromEcho) {
		return s.orOldSchema(c.Request().Context(), apperr.From(err))
	}
	switch fromEcho.Code {
	case http.StatusNotFound:
		return apperr.New(apperr.NotFound, "Nothing was found here.")
	case http.StatusMethodNotAllowed:
		// Echo has set the header for pages of the documentation.
		if allow := s.gate.allow(c.Path()); allow != "" {
			c.Response().Header().Set(echo.HeaderAllow, allow)
		}
		return apperr.New(apperr.MethodNotAllowed, "The path does not support this method.")
	case http.StatusBadRequest:
		return apperr.New(apperr.MalformedRequest, "The request could not be parsed.")
	default:
		return apperr.Wrap(apperr.Internal, "", err)
	}
}

// orOldSchema returns SchemaDirty instead of an error that comes from a schema older than the server needs.
func (s *Server) orOldSchema(ctx context.Context, problem *apperr.Error) *apperr.Error {
	var missing interface {
		error
		Undefined() bool
	}
	if problem.Code != apperr.Internal || !errors.As(problem, &missing) || !missing.Undefined() {
		return problem
	}
	ready := s.readiness.check(ctx, true)
	if !apperr.Is(ready, apperr.SchemaDirty) {
		return problem
	}
	return apperr.Wrap(apperr.SchemaDirty, apperr.From(ready).Detail, problem)
}

func writeProblem(c echo.Context, err *apperr.Error, requestID string) error {
	kind := kindOf(err.Code)
	body, encodeErr := encodeJSON(toProblem(err, requestID))
	if encodeErr != nil {
		return encodeErr
	}
	header := c.Response().Header()
	setChallenge(header, err.Code)
	if kind.retryable {
		header.Set(echo.HeaderRetryAfter, retryAfter(err.RetryAfter))
	}
	return c.Blob(kind.status, mediaTypeProblem, body)
}

// kindOf returns the kind of a code, and that of an internal error for an unknown one.
func kindOf(code apperr.Code) problemKind {
	if kind, known := problems[code]; known {
		return kind
	}
	return problems[apperr.Internal]
}

// detailOf returns the error's detail, or the title of its kind if the detail is empty.
func detailOf(err *apperr.Error) string { return cmp.Or(err.Detail, kindOf(err.Code).title) }

func toProblem(err *apperr.Error, requestID string) api.Problem {
	kind := kindOf(err.Code)
	return api.Problem{
		Type:      "/problems/" + string(err.Code),
		Title:     kind.title,
		Status:    int32(kind.status), //nolint:gosec // It is in the table above.
		Detail:    err.Detail,
		Code:      api.ProblemCode(err.Code),
		RequestID: requestID,
		Retryable: kind.retryable,
		Errors:    toFieldErrors(err.Fields),
	}
}

func setChallenge(header http.Header, code apperr.Code) {
	switch code {
	case apperr.Unauthenticated, apperr.InvalidCredentials:
		header.Set(echo.HeaderWWWAuthenticate, challenge)
	case apperr.InvalidToken, apperr.TokenReuse:
		header.Set(echo.HeaderWWWAuthenticate, challenge+`, error="invalid_token"`)
	case apperr.Forbidden:
		header.Set(echo.HeaderWWWAuthenticate, challenge+`, error="insufficient_scope"`)
	}
}

// retryAfter returns a number of seconds, rounded up.
func retryAfter(d time.Duration) string {
	if d <= 0 {
		d = defaultRetry
	}
	return strconv.Itoa(int(math.Ceil(d.Seconds())))
}
