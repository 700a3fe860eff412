package webhook_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/background"
	"github.com/supportbackend/support/internal/guard"
	"github.com/supportbackend/support/internal/journal"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/testing/storetest"
	"github.com/supportbackend/support/internal/uuid7"
	"github.com/supportbackend/support/internal/webhook"
)

// patience is how long a test waits for an expected event.
const (
	patience     = time.Minute
	pollInterval = 20 * time.Millisecond
)

var (
	firstSecret = []byte("0123456789abcdef0123456789abcdef")
	nextSecret  = []byte("fedcba9876543210fedcba9876543210")
)

// replica is one of the processes that share a database.
type replica struct {
	*webhook.Service
	url     string
	store   *store.Store
	journal *journal.Service
	jobs    *background.Jobs
	// stop ends the replica's background work.
	stop func()
}

type options struct {
	url      string
	allow    []netip.Prefix
	resolver *net.Resolver
	secrets  [][]byte
	// log gets the replica's log, if it is set.
	log io.Writer
	// idle means that the replica runs no background work.
	idle bool
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func newReplica(t *testing.T, o options) *replica {
	t.Helper()
	if o.url == "" {
		o.url, _ = storetest.Lend(t)
	}
	if o.secrets == nil {
		o.secrets = [][]byte{firstSecret}
	}
	if o.log == nil {
		o.log = t.Output()
	}
	logger := slog.New(slog.NewTextHandler(o.log, nil))
	r := &replica{url: o.url, store: storetest.Open(t, o.url)}
	r.journal = journal.NewService(r.store, journal.Options{Kept: time.Hour, Metrics: metrics.NewSet(), Logger: logger})
	r.jobs = background.NewJobs(r.store, logger)
	var err error
	r.Service, err = webhook.NewService(r.store, r.jobs, webhook.Options{
		Secret: o.secrets[0], AcceptedSecrets: o.secrets[1:], Journal: r.journal, Guard: guard.New(o.allow), Resolver: o.resolver,
		Encode: func(e journal.Entry) any {
			return map[string]any{"position": e.Position, "facts": json.RawMessage(e.Data)}
		},
		Metrics: metrics.NewSet(), Logger: logger,
	})
	require.NoError(t, err)
	webhook.SetTimeout(r.Service, 30*time.Second) // generous, for a busy machine
	require.NoError(t, r.jobs.Open(!o.idle))
	r.stop = func() {}
	if !o.idle {
		r.run(t, r.journal.Run, r.jobs.Run, r.Run)
	}
	return r
}

// run starts a server's background work.
func (r *replica) run(t *testing.T, runs ...func(context.Context)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, run := range runs {
		running.Go(func() { run(ctx) })
	}
	r.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	t.Cleanup(r.stop)
}

// hook creates a webhook to the receiver, and returns it with its secret.
func (r *replica) hook(t *testing.T, url string, types ...string) (sqlc.Webhook, string) {
	t.Helper()
	hook, secret, err := r.Create(t.Context(), webhook.NewWebhook{URL: url, Types: types, Payload: sqlc.WebhookPayloadThin})
	require.NoError(t, err)
	return hook, secret
}

// happen adds an event to the journal.
func (r *replica) happen(t *testing.T, kind string) {
	t.Helper()
	require.NoError(t, r.store.CreateJournalEntry(t.Context(), sqlc.CreateJournalEntryParams{
		Type: kind, ActorKind: sqlc.ActorKindSystem, TicketID: new(uuid7.New()), Data: []byte(`{"from":"open"}`),
	}))
}

// delivery waits until a delivery satisfies the condition, and returns it with its attempts.
func (r *replica) delivery(
	t *testing.T, id uuid.UUID, wanted func(sqlc.WebhookDelivery) bool,
) (d sqlc.WebhookDelivery, attempts []sqlc.WebhookAttempt) {
	t.Helper()
	require.Eventually(t, func() bool {
		var err error
		d, attempts, err = r.GetDelivery(t.Context(), id)
		return err == nil && wanted(d)
	}, patience, pollInterval)
	return d, attempts
}

// due makes all deliveries due now, and their webhooks ready.
func (r *replica) due(t *testing.T) {
	t.Helper()
	storetest.Exec(t, r.url, "UPDATE webhook_deliveries SET next_attempt_at = now() - interval '1 second' WHERE status = 'pending'")
	storetest.Exec(t, r.url, "UPDATE webhooks SET resume_at = NULL")
}

func attempted(times int32) func(sqlc.WebhookDelivery) bool {
	return func(d sqlc.WebhookDelivery) bool { return d.AttemptCount == times }
}

func isDelivered(d sqlc.WebhookDelivery) bool { return d.Status == sqlc.WebhookDeliveryStatusDelivered }

// request is a request that a receiver got.
type request struct {
	header http.Header
	body   []byte
}

func (r request) id(t *testing.T) uuid.UUID {
	t.Helper()
	id, err := uuid.Parse(r.header.Get("Webhook-Id"))
	require.NoError(t, err)
	return id
}

// data returns the member data of the body.
func (r request) data(t *testing.T) map[string]any {
	t.Helper()
	var body struct{ Data map[string]any }
	require.NoError(t, json.Unmarshal(r.body, &body))
	return body.Data
}

// receiver records requests and responds as configured.
type receiver struct {
	*httptest.Server
	got chan request
}

func newReceiver(t *testing.T, answer http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{got: make(chan request, 1000)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		r.got <- request{header: req.Header, body: body}
		answer(w, req)
	}))
	t.Cleanup(r.Close)
	return r
}

// next waits for the next request.
func (r *receiver) next(t *testing.T) request {
	t.Helper()
	select {
	case got := <-r.got:
		return got
	case <-time.After(patience):
		require.FailNow(t, "nothing came")
		return request{}
	}
}

func accept(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

func answer(status int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "no")
	}
}
