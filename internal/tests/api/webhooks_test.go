package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/testing/desk"
)

func TestWebhookURLs(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	admin := s.Staff(t, sqlc.UserRoleAdmin)
	for url, allowed := range map[string]bool{
		"https://shop.example/hooks?a=b": true, "https://shop.example:8443/": true, "https://93.184.215.14/": true,
		"http://shop.example/": false, "https://127.0.0.1/": false, "https://[::1]/": false, "https://0.0.0.0/": false,
		"https://169.254.169.254/latest": false, "https://10.1.2.3/": false, "https://[fd00::1]/": false,
		"https://[::ffff:7f00:1]/": false, "https://93.184.215.14:22/": false, "file:///etc/passwd": false, "gopher://shop.example/": false,
		"https://user@shop.example/": false, "https://shop.example/#a": false, "https://shop.example/%zz": false,
		"https://shop.example:99999/": true, // The port is invalid, so nothing can listen there.
	} {
		got, err := admin.CreateWebhookWithResponse(t.Context(), nil, client.CreateWebhookRequest{URL: url})
		require.NoError(t, err)
		if allowed {
			require.Equal(t, http.StatusCreated, got.StatusCode(), url)
			continue
		}
		require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode(), url)
	}
}

func TestWebhookIsShownWithoutItsSecret(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	admin := s.Staff(t, sqlc.UserRoleAdmin)
	created, err := admin.CreateWebhookWithResponse(t.Context(), nil, client.CreateWebhookRequest{
		URL: "https://shop.example/hooks", Description: "Web shop", Types: client.WebhookTypes{"ticket.created"},
	})
	require.NoError(t, err)
	hook := *created.JSON201
	require.Equal(t, client.WebhookPayloadThin, hook.Payload)
	rotated, err := admin.RotateWebhookSecretWithResponse(t.Context(), hook.ID, nil)
	require.NoError(t, err)
	require.NotEqual(t, hook.Secret, rotated.JSON200.Secret)

	paused, err := admin.UpdateWebhookWithResponse(t.Context(), hook.ID, client.UpdateWebhookRequest{
		Paused: new(true), Types: &client.WebhookTypes{},
	})
	require.NoError(t, err)
	require.True(t, paused.JSON200.Paused)
	require.Empty(t, paused.JSON200.Types)
	require.Equal(t, rotated.JSON200.PreviousExpiresAt, paused.JSON200.SecretExpiresAt)
	shown, err := admin.GetWebhookWithResponse(t.Context(), hook.ID, nil)
	require.NoError(t, err)
	require.Equal(t, *paused.JSON200, *shown.JSON200)
	require.NotContains(t, string(shown.Body), "whsec_")

	tested, err := admin.TestWebhookWithResponse(t.Context(), hook.ID, nil)
	require.NoError(t, err)
	all, err := admin.ListWebhookDeliveriesWithResponse(t.Context(), hook.ID, nil)
	require.NoError(t, err)
	require.Len(t, *all.JSON200, 1)
	for status, count := range map[client.WebhookDeliveryStatus]int{client.WebhookDeliveryStatusPending: 1, client.WebhookDeliveryStatusFailed: 0} {
		listed, err := admin.ListWebhookDeliveriesWithResponse(t.Context(), hook.ID, &plain.ListWebhookDeliveriesParams{Status: status})
		require.NoError(t, err)
		require.Len(t, *listed.JSON200, count, status)
	}
	deleted, err := admin.DeleteWebhookWithResponse(t.Context(), hook.ID)
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, deleted.StatusCode())
	gone, err := admin.GetWebhookDeliveryWithResponse(t.Context(), tested.JSON202.ID, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, gone.StatusCode(), "its deliveries go with it")
}
