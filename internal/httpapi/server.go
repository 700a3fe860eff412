// Package httpapi is the HTTP side of the product: it checks requests against the contract, calls the services, and
// converts the results to the contract's types.
package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/labstack/echo/v4"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/internal/account"
	"github.com/supportbackend/support/internal/apikey"
	"github.com/supportbackend/support/internal/assistant"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/httpapi/contract"
	"github.com/supportbackend/support/internal/httpapi/cursor"
	"github.com/supportbackend/support/internal/httpapi/forwarded"
	"github.com/supportbackend/support/internal/httpapi/limit"
	"github.com/supportbackend/support/internal/idempotency"
	"github.com/supportbackend/support/internal/inbox"
	"github.com/supportbackend/support/internal/journal"
	"github.com/supportbackend/support/internal/macro"
	"github.com/supportbackend/support/internal/prompt"
	"github.com/supportbackend/support/internal/report"
	"github.com/supportbackend/support/internal/search"
	"github.com/supportbackend/support/internal/session"
	"github.com/supportbackend/support/internal/team"
	"github.com/supportbackend/support/internal/ticket"
	"github.com/supportbackend/support/internal/webhook"
)

const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	writeTimeout      = 30 * time.Second
	// idleTimeout is longer than the 60 seconds for which load balancers keep connections, so that the balancer, which
	// may be about to send a request, closes them first.
	idleTimeout = 75 * time.Second
	// maxHeaderBytes limits the request line and the headers to 16 KiB, because net/http reads 4 KiB more.
	maxHeaderBytes = 16<<10 - 4<<10
)

// Services are the services that a Server calls.
type Services struct {
	Auth      *auth.Service
	Sessions  *session.Service
	Accounts  *account.Service
	APIKeys   *apikey.Service
	Tickets   *ticket.Service
	Inbox     *inbox.Service
	Teams     *team.Service
	Macros    *macro.Service
	Assistant *assistant.Service
	Prompts   *prompt.Service
	Search    *search.Service
	Reports   *report.Service
	Journal   *journal.Service
	Webhooks  *webhook.Service
	// Keys stores the responses to requests with an Idempotency-Key.
	Keys *idempotency.Service
}

// Options are the dependencies and settings of a Server.
type Options struct {
	Services
	// Ready returns why the server should receive no requests, or nil. It is called at most once a second.
	Ready func(context.Context) error
	// Secret is the key material for cursors, the same on all replicas.
	Secret []byte
	// AcceptedSecrets also verify cursors: the next Secret, or the previous one.
	AcceptedSecrets [][]byte
	// Recheck is how often an open stream checks that its reader is still allowed to read it.
	Recheck time.Duration
	// AllowedOrigins are the origins whose pages may call the API from a browser, compared exactly.
	AllowedOrigins []string
	// TrustedProxies are the networks whose X-Forwarded-For, or Forwarded, is trusted. Without any, the peer is the
	// client.
	TrustedProxies []*net.IPNet
	// MaxStreams limits how many streams are open at a time.
	MaxStreams int
	// MaxStreamsEach is the limit of one account, or of a client address without one.
	MaxStreamsEach int
	// RateLimit is the limit of requests per second of one account, or of a client address without one; 0 means no
	// limit.
	RateLimit int
	// Docs serves the documentation and the contract.
	Docs bool
	// Metrics receives the server's metrics.
	Metrics *metrics.Set
	// Logger receives a line for every request.
	Logger *slog.Logger
}

// Server handles the API's requests. It implements the generated interface, one method for each operation.
type Server struct {
	Services

	readiness *readiness
	cursors   cursor.Cursors
	gate      *gate
	streams   *limit.Streams
	unread    limit.Unread
	permits   *permits
	limiter   *limit.Rate
	metrics   requestMetrics
	logger    *slog.Logger
	echo      *echo.Echo
	draining  atomic.Bool
}

var _ api.StrictServerInterface = (*Server)(nil)

// All Servers of a process share the contract and its pages, which take longer to build than the rest.
var (
	compiledContract = sync.OnceValues(compileContract)
	docsSite         = sync.OnceValues(newDocsSite)
)

func compileContract() (*gate, error) {
	doc, err := contract.Read(api.RequestsJSON)
	if err != nil {
		return nil, fmt.Errorf("httpapi: read the contract: %w", err)
	}
	operations, err := contract.Compile(doc, contract.Formats{"email": func(address string) bool {
		_, ok := account.NormalizeEmail(address)
		return ok
	}})
	if err != nil {
		return nil, err
	}
	return newGate(operations)
}

// New returns a Server, or an error when an operation of the contract lacks a role or a scope.
func New(o Options) (*Server, error) {
	g, err := compiledContract()
	if err != nil {
		return nil, err
	}
	cs, err := cursor.New(append([][]byte{o.Secret}, o.AcceptedSecrets...)...)
	if err != nil {
		return nil, err
	}
	s := &Server{
		Services: o.Services, readiness: &readiness{ask: o.Ready}, cursors: cs, gate: g,
		permits: newPermits(o.Recheck, o.Auth.Recheck), limiter: limit.NewRate(o.RateLimit), metrics: newRequestMetrics(o.Metrics, g),
		streams: limit.NewStreams(o.MaxStreams, o.MaxStreamsEach), logger: o.Logger, echo: echo.New(),
	}
	o.Metrics.NewGauge("support_streams_open", func() float64 { return float64(s.streams.Open()) })
	s.echo.HTTPErrorHandler = s.renderError
	s.echo.IPExtractor = forwarded.Proxies(o.TrustedProxies).ClientIP
	s.echo.Use(s.logRequest, s.recoverPanic, s.waitForStreams, secure(o.TrustedProxies), cors(o.AllowedOrigins, g.methods()), s.guard)
	api.RegisterHandlers(router{Echo: s.echo, gate: g}, api.NewStrictHandler(s, nil))
	if o.Docs {
		if err := s.addDocs(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// ServeHTTP handles one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.echo.ServeHTTP(w, r) }

// Drain makes the server not ready, so that balancers send it no new requests. It still handles those that arrive.
func (s *Server) Drain() { s.draining.Store(true) }

// HTTPServer returns a server for the handler with limits for slow clients and large headers.
func HTTPServer(h http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
}
