// Package desk runs the whole product for a test: the real HTTP server on the test's own database, with a Groq
// simulator. It also creates the people who use it. They call the server through package apitest, which validates every
// response against the contract.
package desk

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

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/account"
	"github.com/supportbackend/support/internal/app"
	"github.com/supportbackend/support/internal/assistant"
	"github.com/supportbackend/support/internal/config"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/groq"
	"github.com/supportbackend/support/internal/httpapi"
	"github.com/supportbackend/support/internal/password"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/groqtest"
	"github.com/supportbackend/support/internal/testing/storetest"
	"github.com/supportbackend/support/internal/ticket"
)

// Secret signs the tokens of servers under test.
const Secret = "a secret that only tests know, 32 bytes and more"

// drainTimeout is how long the end of a test waits for running answers.
const drainTimeout = 5 * time.Second

// Options change what New starts.
type Options struct {
	// DatabaseURL is a migrated database to use instead of a new one, for several servers on one database.
	DatabaseURL string
	// Simulator is the upstream to use instead of a new one.
	Simulator *groqsim.Simulator
	// NoAI turns AI answers off.
	NoAI bool
	// Limits are the limits of upstream requests; nil means the defaults.
	Limits *groq.Limits
	// Models are the models of the server; none means the default one, without a fallback.
	Models []string
	// Budget is each user's budget of AI answers; the zero value has no limits.
	Budget assistant.Budget
	// Writing is each customer's daily budget of writing; the zero value has no limits.
	Writing ticket.Budget
	// AIMode is the mode of new tickets; empty is auto.
	AIMode sqlc.AIMode
	// Triage is the rule for new tickets; empty means no triage.
	Triage assistant.TriageRule
	// MaxRunning, MaxStreams and MaxStreamsEach limit concurrent work of the server; 0 means their defaults.
	MaxRunning, MaxStreams, MaxStreamsEach int
	// Log also receives the server's log; nil means the test's output only.
	Log io.Writer
	// RateLimit is the number of requests per second of a caller, and Attempts limits log-ins and sign-ups. Both are
	// off by default, because tests send many requests from one address.
	RateLimit int
	Attempts  account.Limits
	// Passwords hashes passwords; nil means a cheap hasher.
	Passwords *password.Hasher
	// TrustedProxies are the networks whose X-Forwarded-For is trusted.
	TrustedProxies []*net.IPNet
	// Now is the clock of tokens.
	Now func() time.Time
	// Secrets are the secret that signs tokens and further accepted ones; nil means only Secret.
	Secrets []string
	// Patience is how long a stream's response waits for the first event; 0 means the default.
	Patience time.Duration
	// Recheck is how often streams are rechecked; 0 means the default.
	Recheck time.Duration
	// AllowedOrigins are the origins that browsers may call from.
	AllowedOrigins []string
	// Logger receives the server's log instead of the test's log.
	Logger *slog.Logger
	// Ready replaces the readiness check.
	Ready func(context.Context) error
	// Journal runs the sequencer, which moves entries from the outbox to the journal. Without it, streams of events end
	// immediately.
	Journal bool
}

// Desk is one running server with its database and upstream.
type Desk struct {
	// Client calls the server.
	*apitest.Client
	httpapi.Services

	DatabaseURL string
	Store       *store.Store
	API         *httpapi.Server
	// Debug serves metrics and profiles.
	Debug     http.Handler
	Simulator *groqsim.Simulator
}

// New starts a server that ends with the test.
func New(t testing.TB, o Options) *Desk {
	t.Helper()
	d := &Desk{DatabaseURL: o.DatabaseURL, Simulator: o.Simulator}
	if d.DatabaseURL == "" {
		d.DatabaseURL, d.Store = storetest.Lend(t)
		t.Cleanup(func() { d.Contract.CheckEntries(t, d.DatabaseURL) })
	} else {
		d.Store = storetest.Open(t, d.DatabaseURL)
	}
	output := t.Output()
	if o.Log != nil {
		output = io.MultiWriter(output, o.Log)
	}
	logger := slog.New(slog.NewTextHandler(output, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if o.Logger != nil {
		logger = o.Logger
	}
	d.start(t, o, logger)
	return d
}

func (d *Desk) start(t testing.TB, o Options, logger *slog.Logger) {
	t.Helper()
	if o.Passwords == nil {
		o.Passwords = password.NewHasher(cheap)
	}
	secret, accepted := secrets(o)
	defaults := config.Defaults()
	options := app.OptionsOf(defaults)
	options.Store, options.Logger, options.Ticket.Budget = d.Store, logger, o.Writing
	options.Ticket.AIMode = cmp.Or(o.AIMode, options.Ticket.AIMode)
	options.Assistant.Triage = cmp.Or(o.Triage, options.Assistant.Triage)
	options.Ticket.Triage = options.Assistant.Triage != assistant.TriageOff
	options.Auth.Secret, options.Auth.AcceptedSecrets, options.Auth.Now = secret, accepted, o.Now
	options.Account.Passwords, options.Account.Limits = o.Passwords, o.Attempts
	ai := &options.Assistant
	ai.Client, ai.Budget, ai.MaxRunning = d.startUpstream(t, o), o.Budget, cmp.Or(o.MaxRunning, defaults.AIMaxRunning)
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
	d.Services, d.API, d.Debug = a.Services, a.API, a.Debug()

	server := httptest.NewUnstartedServer(d.API)
	server.Config = a.HTTP
	server.Start()
	answering, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { d.Assistant.Run(answering) })
	if o.Journal {
		running.Go(func() { d.Journal.Run(answering) })
	} else {
		d.Journal.Drain()
	}
	d.Client = apitest.NewClient(t, server.URL, d.Auth)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
		defer cancel()
		server.CloseClientConnections()
		d.Assistant.Drain(ctx)
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

func (d *Desk) startUpstream(t testing.TB, o Options) *groq.Client {
	t.Helper()
	limits := app.UpstreamLimits(config.Defaults())
	if o.Limits != nil {
		limits = *o.Limits
	}
	if o.NoAI {
		return nil
	}
	if d.Simulator == nil {
		d.Simulator = groqsim.New(groqsim.Options{})
	}
	upstream := groqtest.Serve(t, d.Simulator)
	c, err := groq.New(groq.Options{BaseURL: upstream, APIKey: "test-key", Limits: limits})
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	return c
}
