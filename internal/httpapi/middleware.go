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

	"github.com/supportbackend/support/internal/account"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/uuid7"
)

// requestInfo is what is known of a request while it runs. It travels in the request's context.
type requestInfo struct {
	requestID string
	// client is where the request comes from.
	client account.Client
	actor  auth.Actor
	// counted means that the request has been counted for its address.
	counted bool
	// permit is whether the actor may go on.
	permit permit
	// err is the problem it was answered with.
	err *apperr.Error
	// status is set when it was not answered at all.
	status int
	// broken means that the response is not whole and the connection must not look as if it were.
	broken bool
}

type requestInfoKey struct{}

// infoFrom returns the request's info. Every request that has been identified has one.
func infoFrom(ctx context.Context) *requestInfo {
	if info, ok := ctx.Value(requestInfoKey{}).(*requestInfo); ok {
		return info
	}
	return &requestInfo{}
}

// actorFrom returns who asks. Operations that are not public have been authorized before their handler runs.
func actorFrom(ctx context.Context) auth.Actor {
	return infoFrom(ctx).actor
}

// clientFrom returns where the request comes from.
func clientFrom(ctx context.Context) account.Client {
	return infoFrom(ctx).client
}

// writeInTime gives the response writeTimeout from when it begins. The server's own deadline counts from the request, and
// would cut off without a word whatever has waited longer: a poll, a queue, a lock, the upstream.
func writeInTime(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		response := c.Response()
		controller := http.NewResponseController(response.Writer)
		response.Before(func() { _ = controller.SetWriteDeadline(time.Now().Add(writeTimeout)) })
		return next(c)
	}
}

var requestIDPattern = regexp.MustCompile(`^[A-Za-z0-9-]{8,64}$`)

// identify gives the request an id, the caller's if it is a proper one, and a place for what becomes known of it.
func identify(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id := c.Request().Header.Get(echo.HeaderXRequestID)
		if !requestIDPattern.MatchString(id) {
			id = uuid7.New().String()
		}
		c.Response().Header().Set(echo.HeaderXRequestID, id)
		info := &requestInfo{
			requestID: id, client: account.Client{UserAgent: c.Request().UserAgent(), Addr: addressOf(c)},
		}
		ctx := context.WithValue(c.Request().Context(), requestInfoKey{}, info)
		c.SetRequest(c.Request().WithContext(ctx))
		return next(c)
	}
}

// logRequest writes one line for every request: which operation, by whom, how it ended. It holds nothing that a caller
// sent but ids; the path stands there as its template.
func (s *Server) logRequest(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		begin := time.Now()
		counters := s.metrics.of(c.Request().Method, c.Path())
		counters.running.Inc()
		defer counters.running.Dec()
		if err := next(c); err != nil {
			// Render it now, so that the status is known.
			c.Error(err)
		}
		ctx := c.Request().Context()
		info := infoFrom(ctx)
		status := c.Response().Status
		if info.status != 0 {
			status = info.status
		}
		took := time.Since(begin)
		counters.answered(status, took)
		attrs := append(make([]slog.Attr, 0, maxLogged),
			slog.String("request_id", info.requestID),
			slog.String("method", loggedMethod(c.Request().Method)),
			slog.String("route", s.gate.template(c.Path())),
			slog.Int("status", status),
			slog.Duration("dur", took),
			slog.Int64("bytes", c.Response().Size),
			slog.String("client_ip", c.RealIP()),
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
		s.logger.LogAttrs(ctx, requestLevel(c.Path(), status, info.err), "request", attrs...)
		if info.broken {
			panic(http.ErrAbortHandler) // net/http then closes the connection, and says nothing.
		}
		return nil
	}
}

// maxLogged is how many attributes a request's line has at most.
const maxLogged = 11

// loggedMethod is the request's method, unless the caller has made it up.
func loggedMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return method
	default:
		return "other"
	}
}

// requestLevel is the level of a request's line. Probes come all the time, and a database that is away says so by
// itself: neither must fill the log.
func requestLevel(route string, status int, err *apperr.Error) slog.Level {
	passing := status < http.StatusInternalServerError || err != nil && problems[err.Code].retryable
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
			if fault == http.ErrAbortHandler { //nolint:errorlint // net/http compares the value itself.
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
