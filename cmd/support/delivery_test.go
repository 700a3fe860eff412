package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// deliveredWithin is generous, for a loaded machine.
const deliveredWithin = time.Minute

// administrate creates an administrator and returns a client for that account.
func administrate(t *testing.T, database, address string) *plain.ClientWithResponses {
	t.Helper()
	const email, password = "admin@example.com", "correct horse battery"
	create := program(t, []string{"DATABASE_URL=" + database}, "admin", "create", "--email", email, "--password-stdin")
	create.Stdin = strings.NewReader(password + "\n")
	code, out := run(t, create)
	require.Zero(t, code, out)
	c, err := plain.NewClientWithResponses(address)
	require.NoError(t, err)
	in, err := c.LogInWithResponse(t.Context(), nil, client.LogInRequest{Email: email, Password: password})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, in.StatusCode(), "%s", in.Body)
	c, err = plain.NewClientWithResponses(address, plain.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+in.JSON200.AccessToken)
		return nil
	}))
	require.NoError(t, err)
	return c
}

// If a process is killed between a receiver's response and its record, another process sends the delivery again with
// the same id.
func TestDeliveryOfAKilledProcessIsSentAgain(t *testing.T) {
	t.Parallel()
	type request struct {
		header http.Header
		body   []byte
	}
	got, answer := make(chan request, 10), make(chan struct{})
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		got <- request{r.Header, body}
		<-answer
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(receiver.Close)
	database := storetest.NewURL(t)
	environ := []string{"DATABASE_URL=" + database, "SUPPORT_WEBHOOK_ALLOW=127.0.0.0/8"}
	first, address := serve(t, environ...)
	admin := administrate(t, database, address)
	hook, err := admin.CreateWebhookWithResponse(t.Context(), nil, client.CreateWebhookRequest{
		URL: receiver.URL, Types: []string{"ticket.created"},
	})
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, hook.StatusCode(), "%s", hook.Body)
	_, err = admin.TestWebhookWithResponse(t.Context(), hook.JSON201.ID, nil)
	require.NoError(t, err)

	sent := <-got
	release := storetest.LockTable(t, database, "webhooks")
	close(answer)
	require.Eventually(t, func() bool {
		return storetest.QueryInt(t, database, `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%LockWebhook%'`) > 0
	}, deliveredWithin, readyPoll)
	require.NoError(t, first.cmd.Process.Kill())
	_ = first.cmd.Wait() // The error says that it was killed.
	release()

	serve(t, environ...)
	// Without this, the jobs of a dead process are repeated only after half a minute.
	storetest.Exec(t, database, "UPDATE river_job SET state = 'discarded', finalized_at = now() WHERE kind = 'webhook_send'")
	again := <-got
	for _, r := range []request{sent, again} {
		event, err := client.VerifyWebhook(hook.JSON201.Secret, r.header, r.body)
		require.NoError(t, err)
		require.Equal(t, sent.header.Get("Webhook-Id"), event.ID)
	}
	require.Eventually(t, func() bool {
		return storetest.QueryText(t, database, "SELECT coalesce(string_agg(number || ' ' || status, ','), '') FROM webhook_attempts") == "1 204"
	}, deliveredWithin, readyPoll, "an attempt that was not recorded does not count")
}
