package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/session"
	"github.com/supportbackend/support/internal/uuid7"
)

// requestInfo is what the server knows about a running request. It travels in the request's context.
type requestInfo struct {
	requestID string
	// client is the sender of the request.
	client session.Client
	actor  auth.Actor
	// counted means that the rate limit has counted the request for its address.
	counted bool
	// err is the problem in the response.
	err *apperr.Error
	// status is set when there was no response.
	status int
	// stream is the response, if the operation streams and the handler has handed it over.
	stream stream
	// broken means that the response is incomplete, so the connection must be closed without ending it properly.
	broken bool
}

type requestInfoKey struct{}

// infoFrom returns the request's info, which identify has set.
func infoFrom(ctx context.Context) *requestInfo {
	if info, ok := ctx.Value(requestInfoKey{}).(*requestInfo); ok {
		return info
	}
	return &requestInfo{}
}

// actorFrom returns the caller. Requests to operations that are not public have been authorized.
func actorFrom(ctx context.Context) auth.Actor {
	return infoFrom(ctx).actor
}

// clientFrom returns the sender of the request.
func clientFrom(ctx context.Context) session.Client {
	return infoFrom(ctx).client
}

// writeInTime starts writeTimeout when the response begins. The server's own deadline starts with the request, and
// would cut off a response that had to wait: for a poll, a queue, a lock or the upstream.
func writeInTime(response *echo.Response) {
	controller := http.NewResponseController(response.Writer)
	response.Before(func() { _ = controller.SetWriteDeadline(time.Now().Add(writeTimeout)) })
}

var requestIDPattern = regexp.MustCompile(`^[A-Za-z0-9-]{8,64}$`)

// identify gives the request an id, the caller's if it is valid, and its requestInfo.
func identify(c echo.Context) {
	id := c.Request().Header.Get(echo.HeaderXRequestID)
	if !requestIDPattern.MatchString(id) {
		id = uuid7.New().String()
	}
	c.Response().Header().Set(echo.HeaderXRequestID, id)
	info := &requestInfo{
		requestID: id, client: session.Client{UserAgent: c.Request().UserAgent(), Addr: addressOf(c)},
	}
	ctx := context.WithValue(c.Request().Context(), requestInfoKey{}, info)
	c.SetRequest(c.Request().WithContext(ctx))
}

// logRequest identifies and counts requests, and writes one line for each.
func (s *Server) logRequest(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		begin := time.Now()
		writeInTime(c.Response())
		identify(c)
		counters := s.metrics.of(c.Request().Method, c.Path())
		counters.running.Inc()
		defer counters.running.Dec()
		if err := next(c); err != nil {
			// Render it now, so that the status is known.
			c.Error(err)
		}
		s.logResponse(c, counters, time.Since(begin))
		if infoFrom(c.Request().Context()).broken {
			panic(http.ErrAbortHandler) // net/http closes the connection silently.
		}
		return nil
	}
}

// logResponse writes a line for a request: the operation, the caller, the result. Of what the caller sent, it logs only
// ids; the path is logged as its template.
func (s *Server) logResponse(c echo.Context, counters *operationMetrics, took time.Duration) {
	ctx := c.Request().Context()
	info := infoFrom(ctx)
	status := c.Response().Status
	if info.status != 0 {
		status = info.status
	}
	counters.answered(status, took)
	attrs := append(make([]slog.Attr, 0, maxLogged),
		slog.String("request_id", info.requestID),
		slog.String("method", loggedMethod(c.Request().Method)),
		slog.String("route", s.gate.template(c.Path())),
		slog.Int("status", status),
		slog.Duration("dur", took),
		slog.Int64("bytes", c.Response().Size),
		slog.String("client_ip", info.client.Addr.String()),
	)
	if info.actor.ID != uuid.Nil {
		attrs = append(attrs, slog.String("user_id", info.actor.ID.String()))
	}
	if info.actor.KeyID != uuid.Nil {
		attrs = append(attrs, slog.String("api_key_id", info.actor.KeyID.String()))
	}
	if info.err != nil {
		s.metrics.refused(info.err.Code)
		attrs = append(attrs, slog.String("code", string(info.err.Code)))
	}
	if status >= http.StatusInternalServerError {
		attrs = append(attrs, slog.Any("error", info.err))
	}
	s.writeLine(ctx, requestLevel(c.Path(), status, info.err), attrs)
}

// writeLine logs a request. Unlike the logger's own methods, it does not find out where it was called.
func (s *Server) writeLine(ctx context.Context, level slog.Level, attrs []slog.Attr) {
	handler := s.logger.Handler()
	if !handler.Enabled(ctx, level) {
		return
	}
	line := slog.NewRecord(time.Now(), level, "request", 0)
	line.AddAttrs(attrs...)
	_ = handler.Handle(ctx, line) // As the logger's own methods do.
}

// maxLogged is the maximum number of attributes in a request's line.
const maxLogged = 11

// loggedMethod returns the request's method if it is a known one.
func loggedMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return method
	default:
		return "other"
	}
}

// requestLevel returns the level of a request's line. Probes and an unavailable database, which is logged elsewhere,
// must not fill the log.
func requestLevel(route string, status int, err *apperr.Error) slog.Level {
	passing := status < http.StatusInternalServerError || err != nil && kindOf(err.Code).retryable
	switch {
	case !passing:
		return slog.LevelError
	case route == livenessPath || route == readinessPath:
		return slog.LevelDebug
	case status < http.StatusInternalServerError:
		return slog.LevelInfo
	default:
		return slog.LevelWarn
	}
}

// recoverPanic turns a panic of a handler into an internal error; the stack goes to the log only.
func (s *Server) recoverPanic(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			fault := recover()
			if fault == nil {
				return
			}
			if fault == http.ErrAbortHandler { //nolint:errorlint // net/http compares it with == too.
				panic(fault)
			}
			ctx := c.Request().Context()
			s.logger.ErrorContext(ctx, "panic", slog.String("request_id", infoFrom(ctx).requestID),
				slog.String("fault", fmt.Sprint(fault)), slog.String("stack", string(debug.Stack())))
			err = apperr.New(apperr.Internal, "")
		}()
		return next(c)
	}
}
