package webhook_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/testing/storetest"
	"github.com/supportbackend/support/internal/webhook"
)

func TestSecretsAreSealed(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	to := newReceiver(t, accept)
	before := newReplica(t, options{url: url, allow: loopback, idle: true})
	hook, first := before.hook(t, to.URL)
	second, _, err := before.RotateSecret(t.Context(), hook.ID)
	require.NoError(t, err)
	other, _ := before.hook(t, to.URL)
	storetest.Exec(t, url, "UPDATE webhooks SET paused = true WHERE id = $1", other.ID)
	stored := storetest.QueryText(t, url, "SELECT encode(secret, 'base64') || encode(previous_secret, 'base64') FROM webhooks WHERE id = $1", hook.ID)
	require.NotContains(t, stored, first[6:])
	require.NotContains(t, stored, second[6:])

	// Rotate the server's secret as OPERATIONS.md describes.
	both := newReplica(t, options{url: url, allow: loopback, idle: true, secrets: [][]byte{nextSecret, firstSecret}})
	require.NoError(t, both.Reseal(t.Context()))
	require.NoError(t, both.Reseal(t.Context()), "nothing is left to do")
	require.NotEqual(t, stored, storetest.QueryText(t, url,
		"SELECT encode(secret, 'base64') || encode(previous_secret, 'base64') FROM webhooks WHERE id = $1", hook.ID))
	after := newReplica(t, options{url: url, allow: loopback, secrets: [][]byte{nextSecret}})
	_, err = after.Test(t.Context(), hook.ID)
	require.NoError(t, err)
	got := to.next(t)
	requireVerified(t, first, got)
	requireVerified(t, second, got)

	// A secret is of no use in another row.
	storetest.Exec(t, url, "UPDATE webhooks SET secret = (SELECT secret FROM webhooks WHERE id = $1), paused = false WHERE id = $2", hook.ID, other.ID)
	_, err = after.Test(t.Context(), other.ID)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		return storetest.QueryInt(t, url, "SELECT count(*) FROM webhooks WHERE resume_at > now()") == 1
	}, patience, pollInterval)
	require.Empty(t, to.got)
	require.Zero(t, storetest.QueryInt(t, url, "SELECT count(*) FROM webhooks WHERE resume_at > now() + interval '1 minute'"),
		"a new secret, or the old one's return, takes effect soon")
}

// An operator has replaced JWT_SECRET in one step, or restored a dump from before a replacement.
func TestUnreadableSecretsAreNamed(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	before := newReplica(t, options{url: url, idle: true})
	hook, _ := before.hook(t, "https://shop.example/hooks")
	paused, _ := before.hook(t, "https://shop.example/paused")
	storetest.Exec(t, url, "UPDATE webhooks SET paused = true WHERE id = $1", paused.ID)
	requireSecrets := func(secrets [][]byte, old, unreadable int) {
		t.Helper()
		found, err := webhook.CheckSecrets(t.Context(), before.store, secrets)
		require.NoError(t, err)
		require.Equal(t, 2, found.Webhooks)
		require.Len(t, found.Old, old)
		require.Len(t, found.Unreadable, unreadable)
	}
	requireSecrets([][]byte{firstSecret}, 0, 0)
	requireSecrets([][]byte{nextSecret, firstSecret}, 2, 0)
	requireSecrets([][]byte{nextSecret}, 0, 2)

	var log bytes.Buffer
	after := newReplica(t, options{url: url, idle: true, secrets: [][]byte{nextSecret}, log: &log})
	requireNamed := func(times int, hook uuid.UUID) {
		t.Helper()
		require.Equal(t, times, strings.Count(log.String(), "webhook_id="+hook.String()), "%s", log.String())
	}
	for range 2 {
		require.NoError(t, after.Reseal(t.Context()))
		requireNamed(1, hook.ID)
		requireNamed(1, paused.ID)
	}
	_, _, err := after.RotateSecret(t.Context(), hook.ID)
	require.NoError(t, err)
	require.NoError(t, after.Reseal(t.Context()))
	requireSecrets([][]byte{nextSecret}, 0, 1)

	// It is named again when it cannot be signed again.
	storetest.Exec(t, url, "UPDATE webhooks SET secret = previous_secret WHERE id = $1", hook.ID)
	require.NoError(t, after.Reseal(t.Context()))
	requireNamed(2, hook.ID)
	requireNamed(1, paused.ID)
}

func TestOldDeliveriesAreDeleted(t *testing.T) {
	t.Parallel()
	r := newReplica(t, options{idle: true})
	kept, _ := r.hook(t, "https://shop.example/kept")
	deleted, _ := r.hook(t, "https://shop.example/deleted")
	for _, hook := range []string{kept.ID.String(), deleted.ID.String()} {
		storetest.Exec(t, r.url, `INSERT INTO webhook_deliveries (id, webhook_id, type, status, finished_at, next_attempt_at)
			SELECT gen_random_uuid(), $1, 'webhook.test', 'delivered', now() - age, NULL
			FROM unnest(ARRAY[interval '13 days', interval '15 days']) AS age`, hook)
	}
	require.NoError(t, r.Delete(t.Context(), deleted.ID))
	require.Error(t, r.Delete(t.Context(), deleted.ID))
	require.NoError(t, r.Sweep(t.Context()))
	require.Equal(t, 1, storetest.QueryInt(t, r.url, "SELECT count(*) FROM webhook_deliveries"))
	require.Equal(t, 1, storetest.QueryInt(t, r.url, "SELECT count(*) FROM webhooks"))
}
