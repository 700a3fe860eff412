package webhook_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/testing/storetest"
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
