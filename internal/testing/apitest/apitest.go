// Package apitest runs the whole product for a test: the real HTTP server on a database of the test's own, with a Groq
// simulator behind it, driven through the generated client. Every response that a test gets is validated against the
// contract; one that openapi.yaml does not describe fails the test.
package apitest

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/account"
	"github.com/supportbackend/support/internal/app"
	"github.com/supportbackend/support/internal/assistant"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/config"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/groq"
	"github.com/supportbackend/support/internal/httpapi"
	"github.com/supportbackend/support/internal/idempotency"
	"github.com/supportbackend/support/internal/journal"
	"github.com/supportbackend/support/internal/password"
	"github.com/supportbackend/support/internal/report"
	"github.com/supportbackend/support/internal/search"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/testing/storetest"
	"github.com/supportbackend/support/internal/ticket"
)

// Secret signs the tokens of servers under test.
const Secret = "a secret that only tests know, 32 bytes and more"

// drainTimeout bounds how long the end of a test waits for answers that are still running.
const drainTimeout = 5 * time.Second

// Options change what New starts.
type Options struct {
	// DatabaseURL is a migrated database to use instead of a new one: for several servers on one database.
	DatabaseURL string
	// Simulator is the upstream to use instead of a new one.
	Simulator *groqsim.Simulator
	// NoAI switches answers off.
	NoAI bool
	// Limits bound the upstream; nil means the default ones.
	Limits *groq.Limits
	// Models are the models that may answer; none means the default one, without a fallback.
	Models []string
	// Budget is what each user may ask of the AI; the zero value has no limits.
	Budget assistant.Budget
	// Writing is what each customer may write in a day; the zero value has no limits.
	Writing ticket.Budget
	// AIMode is the mode of new tickets; empty is auto.
	AIMode sqlc.AIMode
	// Triage is what the AI does with new tickets by itself; empty is nothing.
	Triage assistant.TriageRule
	// MaxRunning, MaxStreams and MaxStreamsEach bound what the server does at a time; 0 means their defaults.
	MaxRunning, MaxStreams, MaxStreamsEach int
	// Log gets the server's log too; nil means the test's output only.
	Log io.Writer
	// RateLimit is how many requests per second a caller may make, and Attempts what strangers may try. Tests have neither
	// unless they say so: they come from one address, and fast.
	RateLimit int
	Attempts  account.Limits
	// Passwords hashes passwords; nil means one whose hashes cost next to nothing.
	Passwords *password.Hasher
	// TrustedProxies are the networks whose X-Forwarded-For is believed.
	TrustedProxies []*net.IPNet
	// Now is the clock of tokens.
	Now func() time.Time
	// Secrets are the one that signs tokens, and further ones that are accepted; nil means Secret alone.
	Secrets []string
	// Patience is how long a stream's response waits for the first event; 0 means the default.
	Patience time.Duration
	// Recheck is how often streams are rechecked; 0 means the default.
	Recheck time.Duration
	// AllowedOrigins are the origins that browsers may call from.
	AllowedOrigins []string
	// Logger gets what the server logs, instead of the test's own log.
	Logger *slog.Logger
	// Ready replaces the readiness check.
	Ready func(context.Context) error
	// Journal says that what happens goes from the outbox to the journal. Without it, streams of events end at once.
	Journal bool
}

// Server is one running server and what stands behind it.
type Server struct {
	URL         string
	DatabaseURL string
	Store       *store.Store
	Auth        *auth.Service
	Accounts    *account.Service
	Assistant   *assistant.Service
	Keys        *idempotency.Service
	Search      *search.Service
	Reports     *report.Service
	Journal     *journal.Service
	API         *httpapi.Server
	// Debug serves metrics and profiles.
	Debug     http.Handler
	Simulator *groqsim.Simulator

	// Anonymous calls the API without a token.
	Anonymous *plain.ClientWithResponses
	// HTTP sends requests that the generated client would not; its responses are validated against the contract too.
	HTTP *http.Client
}

// New starts a server that ends with the test.
func New(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{DatabaseURL: o.DatabaseURL, Simulator: o.Simulator}
	sent := new(requests)
	if s.DatabaseURL == "" {
		s.DatabaseURL = storetest.NewURL(t)
		t.Cleanup(func() { sent.checkEntries(t, s.DatabaseURL) })
	}
	s.Store = storetest.Open(t, s.DatabaseURL)
	output := t.Output()
	if o.Log != nil {
		output = io.MultiWriter(output, o.Log)
	}
	logger := slog.New(slog.NewTextHandler(output, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if o.Logger != nil {
		logger = o.Logger
	}
	s.start(t, o, logger)

	s.HTTP = &http.Client{
		Transport:     newTransport(t, s.Auth, sent),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(s.HTTP.CloseIdleConnections)
	s.Anonymous = s.client(t, "")
	return s
}

func (s *Server) start(t testing.TB, o Options, logger *slog.Logger) {
	t.Helper()
	if o.Passwords == nil {
		o.Passwords = password.NewHasher(password.Cost{Memory: 32, Passes: 1, Lanes: 1})
	}
	secret, accepted := secrets(o)
	defaults := config.Defaults()
	options := app.OptionsOf(defaults)
	options.Store, options.Logger, options.Ticket.Budget = s.Store, logger, o.Writing
	options.Ticket.AIMode = cmp.Or(o.AIMode, options.Ticket.AIMode)
	options.Assistant.Triage = cmp.Or(o.Triage, options.Assistant.Triage)
	options.Ticket.Triage = options.Assistant.Triage != assistant.TriageOff
	options.Auth.Secret, options.Auth.AcceptedSecrets, options.Auth.Now = secret, accepted, o.Now
	options.Account.Passwords, options.Account.Limits = o.Passwords, o.Attempts
	ai := &options.Assistant
	ai.Client, ai.Budget, ai.MaxRunning = s.startUpstream(t, o), o.Budget, cmp.Or(o.MaxRunning, defaults.AIMaxRunning)
	ai.Patience = cmp.Or(o.Patience, ai.Patience)
	ai.Models = o.Models
	if len(o.Models) == 0 {
		ai.Models = []string{defaults.GroqModel}
	}
	options.HTTP = httpapi.Options{
		Ready: o.Ready, Recheck: cmp.Or(o.Recheck, defaults.StreamRecheck), AllowedOrigins: o.AllowedOrigins,
		TrustedProxies: o.TrustedProxies, RateLimit: o.RateLimit, MaxStreams: cmp.Or(o.MaxStreams, defaults.MaxStreams),
		MaxStreamsEach: cmp.Or(o.MaxStreamsEach, defaults.StreamsPerAccount), Docs: true,
	}
	a, err := app.New(options)
	require.NoError(t, err)
	s.Auth, s.Accounts, s.Assistant, s.Keys, s.API = a.Auth, a.Accounts, a.Assistant, a.Keys, a.API
	s.Reports = a.Reports
	s.Search, s.Journal, s.Debug = a.Search, a.Journal, a.Debug()

	server := httptest.NewUnstartedServer(s.API)
	server.Config = a.HTTP
	server.Start()
	s.URL = server.URL
	answering, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Assistant.Run(answering) })
	if o.Journal {
		running.Go(func() { s.Journal.Run(answering) })
	} else {
		s.Journal.Drain()
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
		defer cancel()
		server.CloseClientConnections()
		s.Assistant.Drain(ctx)
		server.Close()
		stop()
		running.Wait()
	})
}

func secrets(o Options) (secret []byte, accepted [][]byte) {
	if o.Secrets == nil {
		return []byte(Secret), nil
	}
	for _, further := range o.Secrets[1:] {
		accepted = append(accepted, []byte(further))
	}
	return []byte(o.Secrets[0]), accepted
}

func (s *Server) startUpstream(t testing.TB, o Options) *groq.Client {
	t.Helper()
	limits := app.UpstreamLimits(config.Defaults())
	if o.Limits != nil {
		limits = *o.Limits
	}
	if o.NoAI {
		return nil
	}
	if s.Simulator == nil {
		s.Simulator = groqsim.New(groqsim.Options{})
		t.Cleanup(s.Simulator.Close)
	}
	upstream := httptest.NewServer(s.Simulator)
	t.Cleanup(func() {
		s.Simulator.Close()
		upstream.CloseClientConnections()
		upstream.Close()
	})
	c, err := groq.New(groq.Options{BaseURL: upstream.URL, APIKey: "test-key", Limits: limits})
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func (s *Server) client(t testing.TB, token string) *plain.ClientWithResponses {
	t.Helper()
	options := []plain.ClientOption{plain.WithHTTPClient(s.HTTP)}
	if token != "" {
		options = append(options, plain.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+token)
			return nil
		}))
	}
	c, err := plain.NewClientWithResponses(s.URL, options...)
	require.NoError(t, err)
	return c
}

// Staff makes an account of the role and logs it in.
func (s *Server) Staff(t testing.TB, role sqlc.UserRole) *User {
	t.Helper()
	return s.LogIn(t, s.addAccount(t, role), Password)
}
