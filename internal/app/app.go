// Package app assembles the product: it creates the services, connects them, and runs them with the server. The
// commands and the tests of the whole product share this assembly, so a new service is added here and nowhere else.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/supportbackend/support/internal/account"
	"github.com/supportbackend/support/internal/apikey"
	"github.com/supportbackend/support/internal/assistant"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/background"
	"github.com/supportbackend/support/internal/httpapi"
	"github.com/supportbackend/support/internal/idempotency"
	"github.com/supportbackend/support/internal/inbox"
	"github.com/supportbackend/support/internal/journal"
	"github.com/supportbackend/support/internal/macro"
	"github.com/supportbackend/support/internal/prompt"
	"github.com/supportbackend/support/internal/report"
	"github.com/supportbackend/support/internal/search"
	"github.com/supportbackend/support/internal/session"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/team"
	"github.com/supportbackend/support/internal/ticket"
	"github.com/supportbackend/support/internal/webhook"
)

const (
	// answersTimeout is how long running answers have to finish after the drain delay, and shutdownTimeout all requests.
	answersTimeout  = 18 * time.Second
	shutdownTimeout = 20 * time.Second
)

// Options are the options of the App's parts, without their dependencies on each other. FromConfig makes them from the
// settings.
type Options struct {
	// Store is closed when Serve returns.
	Store *store.Store
	// Auth needs no Logger.
	Auth auth.Options
	// Account needs no Secret.
	Account account.Options
	// Assistant needs no Tickets, Prompts, Encode, Metrics or Logger.
	Assistant assistant.Options
	Ticket    ticket.Options
	// Journal needs no Metrics or Logger.
	Journal journal.Options
	// Webhook needs no secrets, Journal, Encode, Metrics or Logger.
	Webhook webhook.Options
	// SearchLanguage is a text search configuration of PostgreSQL.
	SearchLanguage string
	// HTTP needs no services, secrets, Metrics or Logger. A nil Ready means that of the store.
	HTTP httpapi.Options
	// Workers reports whether Serve does background work: tasks and jobs that replicas share.
	Workers bool
	// DebugAddr is where Serve serves metrics and profiles; empty means nowhere.
	DebugAddr string
	Logger    *slog.Logger
}

// App is the assembled product.
type App struct {
	httpapi.Services
	Store *store.Store
	Jobs  *background.Jobs
	API   *httpapi.Server
	// HTTP serves the API, with limits on its connections.
	HTTP *http.Server

	workers    bool
	debugAddr  string
	maxStreams int
	metrics    *metrics.Set
	logger     *slog.Logger
}

// New returns an App. Serve runs it.
func New(o Options) (*App, error) {
	o.Auth.Logger = o.Logger
	authn, err := auth.NewService(o.Store, o.Auth)
	if err != nil {
		return nil, err
	}
	sessions, err := session.NewService(o.Store, authn, session.Options{
		Secret: o.Auth.Secret, AcceptedSecrets: o.Auth.AcceptedSecrets,
	})
	if err != nil {
		return nil, err
	}
	o.Account.Secret = o.Auth.Secret
	set := o.newMetrics()
	prompts := prompt.NewService(o.Store)
	tickets := ticket.NewService(o.Store, o.Ticket)
	o.Assistant.Prompts, o.Assistant.Tickets = prompts, tickets
	o.Assistant.Encode, o.Assistant.Metrics, o.Assistant.Logger = httpapi.EncodeEvent, set, o.Logger
	o.Journal.Metrics, o.Journal.Logger = set, o.Logger
	a := &App{
		Services: httpapi.Services{
			Auth:      authn,
			Sessions:  sessions,
			Accounts:  account.NewService(o.Store, authn, sessions, o.Account),
			APIKeys:   apikey.NewService(o.Store, authn),
			Tickets:   tickets,
			Inbox:     inbox.NewService(o.Store),
			Teams:     team.NewService(o.Store),
			Macros:    macro.NewService(o.Store, tickets),
			Assistant: assistant.NewService(o.Store, o.Assistant),
			Prompts:   prompts,
			Search:    search.NewService(o.Store, o.SearchLanguage, o.Logger),
			Reports:   report.NewService(o.Store),
			Journal:   journal.NewService(o.Store, o.Journal),
			Keys:      idempotency.NewService(o.Store),
		},
		Store: o.Store, workers: o.Workers, debugAddr: o.DebugAddr, maxStreams: o.HTTP.MaxStreams, metrics: set, logger: o.Logger,
	}
	if err := a.addJobs(o.Webhook, o.Auth); err != nil {
		return nil, err
	}
	o.HTTP.Services = a.Services
	o.HTTP.Secret, o.HTTP.AcceptedSecrets = o.Auth.Secret, o.Auth.AcceptedSecrets
	o.HTTP.Metrics, o.HTTP.Logger = set, o.Logger
	if o.HTTP.Ready == nil {
		o.HTTP.Ready = a.Store.Ready
	}
	if a.API, err = httpapi.New(o.HTTP); err != nil {
		return nil, err
	}
	a.HTTP = httpapi.HTTPServer(a.API, o.Logger)
	return a, nil
}

// addJobs adds the work that replicas share, and webhooks, which belong to it.
func (a *App) addJobs(o webhook.Options, secrets auth.Options) (err error) {
	jobs := background.NewJobs(a.Store, a.logger)
	o.Secret, o.AcceptedSecrets, o.Metrics, o.Logger = secrets.Secret, secrets.AcceptedSecrets, a.metrics, a.logger
	o.Journal, o.Encode = a.Journal, httpapi.EncodeEntry
	if a.Webhooks, err = webhook.NewService(a.Store, jobs, o); err != nil {
		return err
	}
	for _, tasks := range [][]background.Task{
		a.Sessions.Tasks(), a.Accounts.Tasks(), a.Keys.Tasks(), a.Tickets.Tasks(), a.Teams.Tasks(), a.Reports.Tasks(), a.Assistant.Tasks(), a.Journal.Tasks(),
	} {
		jobs.Repeat(tasks...)
	}
	a.Jobs = jobs
	return jobs.Open(a.workers)
}

// Serve handles requests on the listener until ctx ends. Then /readyz fails immediately; the server accepts requests
// for delay longer, and lets running requests and answers finish.
func (a *App) Serve(ctx context.Context, listener net.Listener, delay time.Duration) error {
	defer a.Store.Close()
	stopDebug, err := a.serveDebug(ctx)
	if err != nil {
		return err
	}
	a.logger.InfoContext(ctx, "serving", slog.String("addr", listener.Addr().String()))
	a.checkFiles(ctx)
	defer a.background(ctx)()
	defer stopDebug()
	failed := make(chan error, 1)
	go func() { failed <- a.HTTP.Serve(&acceptLog{Listener: listener, logger: a.logger}) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	a.API.Drain()
	a.logger.InfoContext(ctx, "shutting down")
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-time.After(delay):
	}
	return a.shutdown(context.WithoutCancel(ctx))
}

// background starts the work besides requests, which runs until ctx ends. Answers may continue until stop is called.
// stop ends everything and waits for it. What needs the database all the time begins after the first check, so that the
// server is not kept from becoming ready by connections that it does not need for that.
func (a *App) background(ctx context.Context) (stop func()) {
	answering, stopAnswering := context.WithCancel(context.WithoutCancel(ctx))
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { a.Assistant.Run(answering) })
	running.Go(func() { boundGarbage(ctx) })
	running.Go(func() {
		a.checkDatabase(ctx)
		runs := []func(context.Context){a.warmUp, a.Auth.Run, a.Jobs.Run, a.Journal.Run}
		if a.workers {
			runs = append(runs, a.Search.Run, a.Webhooks.Run)
		}
		for _, run := range runs {
			running.Go(func() { run(ctx) })
		}
	})
	return func() {
		cancel()
		stopAnswering()
		running.Wait()
	}
}

// warmUpDelay is how long the server serves before it warms up its connections. Doing so first would delay its start.
const warmUpDelay = time.Second

func (a *App) warmUp(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(warmUpDelay):
		a.Store.WarmUp(ctx, assistant.Plan)
	}
}

// checkDatabase warns when the database is not usable yet, or has too few connections for the pool.
func (a *App) checkDatabase(ctx context.Context) {
	if err := a.Store.Ready(ctx); err != nil {
		a.logger.WarnContext(ctx, "database not usable yet", slog.Any("error", Explain(err)))
		return
	}
	a.checkClock(ctx)
	warning, err := a.Store.CheckBudget(ctx)
	switch {
	case err != nil:
		a.logger.WarnContext(ctx, "database not usable yet", slog.Any("error", Explain(err)))
	case warning != "":
		a.logger.WarnContext(ctx, "database connections", slog.String("warning", warning))
	}
}

// ClockTolerance is how far clocks may be apart without a warning.
const ClockTolerance = 5 * time.Second

// ClocksApart returns how far this machine's clock and the database's are apart, at least. A query that took this long
// read the database's clock, which was ahead of the query's beginning by that much.
func ClocksApart(ahead, took time.Duration) time.Duration { return max(-ahead, ahead-took, 0) }

// checkClock warns when this machine's clock and the database's are apart: other replicas may then refuse this one's
// tokens.
func (a *App) checkClock(ctx context.Context) {
	begun := time.Now()
	server, err := a.Store.GetDatabaseServer(ctx)
	if err != nil {
		return // The next request notices.
	}
	if apart := ClocksApart(server.Now.Sub(begun), time.Since(begun)); apart > ClockTolerance {
		a.logger.WarnContext(ctx, "a clock is wrong: synchronize this machine's and the database's with NTP",
			slog.String("apart", apart.Round(time.Second).String()))
	}
}

func (a *App) shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, shutdownTimeout)
	defer cancel()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		a.Journal.Drain()
		answers, cancel := context.WithTimeout(ctx, answersTimeout)
		defer cancel()
		a.Assistant.Drain(answers)
	}()
	err := a.HTTP.Shutdown(ctx)
	<-drained
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("requests were still running after %s", shutdownTimeout)
	}
	a.logger.InfoContext(ctx, "stopped")
	return err
}
