package api_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/background"
	"github.com/supportbackend/support/internal/guard"
	"github.com/supportbackend/support/internal/httpapi"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
	"github.com/supportbackend/support/internal/webhook"
)

// deliverTo sends what has happened on a desk so far to a receiver, in full.
func deliverTo(t *testing.T, d *desk.Desk, url string) {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	jobs := background.NewJobs(d.Store, logger)
	hooks, err := webhook.NewService(d.Store, jobs, webhook.Options{
		Secret: []byte(desk.Secret), Journal: d.Journal, Encode: httpapi.EncodeEntry,
		Guard: guard.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}), Metrics: metrics.NewSet(), Logger: logger,
	})
	require.NoError(t, err)
	require.NoError(t, jobs.Open(true))
	_, _, err = hooks.Create(t.Context(), webhook.NewWebhook{URL: url, Payload: sqlc.WebhookPayloadFull})
	require.NoError(t, err)
	storetest.Exec(t, d.DatabaseURL, "SELECT journal_sequence(1000, false)")
	_, _, err = hooks.Dispatch(t.Context())
	require.NoError(t, err)

	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { jobs.Run(ctx) })
	require.Eventually(t, func() bool { return countRows(t, d, "webhook_deliveries WHERE status = 'pending'") == 0 },
		patience, 10*time.Millisecond)
	stop()
	running.Wait()
}

// TestTextRemovedDuringADeliveryIsNotStored has a receiver respond with what it was sent, once that is gone.
func TestTextRemovedDuringADeliveryIsNotStored(t *testing.T) {
	t.Parallel()
	for name, remove := range map[string]func(t *testing.T, c *cast) int{
		"redacted note": func(t *testing.T, c *cast) int {
			t.Helper()
			note := storetest.QueryText(t, c.DatabaseURL, "SELECT id::text FROM messages WHERE is_note")
			return c.agent.Do(t, http.MethodPost, "/messages/"+note+"/redact", "").Status
		},
		"redacted ticket": func(t *testing.T, c *cast) int {
			t.Helper()
			return c.agent.Do(t, http.MethodPost, "/tickets/"+c.ticket.ID.String()+"/redact", "").Status
		},
		"erased customer": func(t *testing.T, c *cast) int { t.Helper(); return erase(t, c.admin, c.owner.ID) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCast(t)
			if name == "redacted ticket" {
				storetest.Exec(t, c.DatabaseURL, "UPDATE tickets SET description = $2 WHERE id = $1", c.ticket.ID, erasable)
			} else {
				addNote(t, c.agent, c.ticket.ID, erasable)
			}
			removed := sync.OnceValue(func() int { return remove(t, c) })
			receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil || removed() >= http.StatusMultipleChoices {
					w.WriteHeader(http.StatusInternalServerError)
				}
				_, _ = w.Write(body)
			}))
			t.Cleanup(receiver.Close)
			deliverTo(t, c.Desk, receiver.URL)
			require.Less(t, removed(), http.StatusMultipleChoices)
			requireNowhere(t, c.Desk, erasable)
			if name != "erased customer" {
				require.NotZero(t, countRows(t, c.Desk, "webhook_attempts WHERE response IS NOT NULL"), "other responses stay")
			}
		})
	}
}
