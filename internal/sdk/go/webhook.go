package client

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// webhookTolerance is how far the time of a delivery may be from this computer's clock.
const webhookTolerance = 5 * time.Minute

// ErrWebhook means that a request is not a delivery by the server, or an old one.
var ErrWebhook = errors.New("support: not a genuine webhook delivery")

// WebhookEvent is the event in a delivery.
type WebhookEvent struct {
	// ID is the same in every attempt: ignore an event that you have processed.
	ID        string    `json:"-"`
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	// Data is the event in the webhook's kind of payload.
	Data json.RawMessage `json:"data"`
}

// VerifyWebhook verifies that the server sent a request to a webhook with this secret (whsec_…) within the last 5
// minutes, and returns its event. body is the raw body of the request. While the secret rotates, both secrets verify.
// It returns ErrWebhook.
func VerifyWebhook(secret string, header http.Header, body []byte) (WebhookEvent, error) {
	return verifyWebhook(secret, header, body, time.Now())
}

func verifyWebhook(secret string, header http.Header, body []byte, now time.Time) (event WebhookEvent, err error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || len(key) == 0 {
		return event, errors.New("support: the webhook's secret must have the form whsec_…")
	}
	id, timestamp := header.Get("Webhook-Id"), header.Get("Webhook-Timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || id == "" || now.Sub(time.Unix(seconds, 0)).Abs() > webhookTolerance {
		return event, ErrWebhook
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	if !isSigned(header.Get("Webhook-Signature"), mac.Sum(nil)) {
		return event, ErrWebhook
	}
	if err := json.Unmarshal(body, &event); err != nil {
		return event, fmt.Errorf("%w: %w", ErrWebhook, err)
	}
	event.ID = id
	return event, nil
}

// isSigned reports whether the signatures include the wanted one.
func isSigned(signatures string, want []byte) bool {
	for signature := range strings.FieldsSeq(signatures) {
		text, ok := strings.CutPrefix(signature, "v1,")
		if !ok {
			continue
		}
		got, err := base64.StdEncoding.DecodeString(text)
		if err == nil && hmac.Equal(got, want) {
			return true
		}
	}
	return false
}
