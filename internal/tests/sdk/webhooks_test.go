package sdktest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
)

const (
	hookSecret   = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	webhookGuide = "../../httpapi/docs/guides/8-webhooks.md"
)

// shown returns the webhook guide's program in a language.
func shown(t *testing.T, language string) string {
	t.Helper()
	guide, err := os.ReadFile(webhookGuide)
	require.NoError(t, err)
	_, program, found := strings.Cut(string(guide), "```"+language+"\n")
	require.True(t, found)
	program, _, _ = strings.Cut(program, "```")
	return program
}

// delivery returns a delivery whose signature is genuine for its id.
func delivery(ctx context.Context, t *testing.T, url, id string) *http.Request {
	t.Helper()
	const body = `{"type":"ticket.created","timestamp":"2026-11-22T09:30:00.123456Z","data":{"position":4711}}`
	official, err := standardwebhooks.NewWebhook(hookSecret)
	require.NoError(t, err)
	now := time.Now()
	signature, err := official.Sign("an-id", now, []byte(body))
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Webhook-Id", id)
	r.Header.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
	r.Header.Set("Webhook-Signature", signature)
	return r
}

// takes sends deliveries to the guide's receiver, and checks that it stores the genuine ones. failing makes the
// receiver's store fail.
func takes(t *testing.T, url string, failing func(bool)) {
	t.Helper()
	for _, c := range []struct {
		id      string
		failing bool
		want    int
	}{
		{id: "an-id", want: http.StatusNoContent},
		{id: "another-id", want: http.StatusBadRequest},
		{id: "an-id", failing: true, want: http.StatusServiceUnavailable},
	} {
		failing(c.failing)
		response, err := http.DefaultClient.Do(delivery(t.Context(), t, url, c.id))
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, c.want, response.StatusCode)
	}
}

// The guide contains the function hooks below, and it works.
func TestGuideWebhookReceiver(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("webhooks_test.go")
	require.NoError(t, err)
	_, program, _ := strings.Cut(string(source), "\n// hooks receives")
	require.Equal(t, shown(t, "go"), "// hooks receives"+program)
	var fails bool
	var stored []string
	receiver := httptest.NewServer(hooks(hookSecret, func(e client.WebhookEvent) error {
		if fails {
			return errors.New("the disk is full")
		}
		stored = append(stored, e.ID)
		return nil
	}))
	t.Cleanup(receiver.Close)
	takes(t, receiver.URL, func(now bool) { fails = now })
	require.Equal(t, []string{"an-id"}, stored)
}

// hooks receives deliveries and stores their events.
func hooks(secret string, store func(client.WebhookEvent) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			return
		}
		event, err := client.VerifyWebhook(secret, r.Header, body)
		if err != nil {
			http.Error(w, "not genuine", http.StatusBadRequest)
			return
		}
		if err := store(event); err != nil { // Use event.ID as the key, so that a duplicate changes nothing.
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}
