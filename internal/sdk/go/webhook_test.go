package client

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
)

// The test vector of the reference library.
const (
	vectorSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorTimestamp = 1614265330
	vectorBody      = `{"test": 2432232314}`
	vectorSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

func delivery(id string, timestamp int64, signature string) http.Header {
	header := http.Header{}
	header.Set("webhook-id", id)
	header.Set("webhook-timestamp", strconv.FormatInt(timestamp, 10))
	header.Set("webhook-signature", signature)
	return header
}

func TestVerifyWebhookAcceptsTheReferenceVector(t *testing.T) {
	t.Parallel()
	at := time.Unix(vectorTimestamp, 0)
	event, err := verifyWebhook(vectorSecret, delivery(vectorID, vectorTimestamp, vectorSignature), []byte(vectorBody), at)
	require.NoError(t, err)
	require.Equal(t, vectorID, event.ID)

	official, err := standardwebhooks.NewWebhook(vectorSecret)
	require.NoError(t, err)
	body := []byte(`{"type":"ticket.created","timestamp":"2026-11-22T09:30:00.123456Z","data":{"position":7}}`)
	now := time.Now()
	signature, err := official.Sign("an-id", now, body)
	require.NoError(t, err)
	event, err = VerifyWebhook(vectorSecret, delivery("an-id", now.Unix(), signature), body)
	require.NoError(t, err)
	require.Equal(t, "ticket.created", event.Type)
	require.JSONEq(t, `{"position":7}`, string(event.Data))
	require.Equal(t, 2026, event.Timestamp.Year())
}

func TestVerifyWebhookRefusesForgeries(t *testing.T) {
	t.Parallel()
	at := time.Unix(vectorTimestamp, 0)
	for name, c := range map[string]struct {
		id, signature, body string
		timestamp           int64
		now                 time.Time
		ok                  bool
	}{
		"genuine":          {vectorID, vectorSignature, vectorBody, vectorTimestamp, at, true},
		"one of several":   {vectorID, "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v2,x " + vectorSignature, vectorBody, vectorTimestamp, at, true},
		"4 minutes old":    {vectorID, vectorSignature, vectorBody, vectorTimestamp, at.Add(4 * time.Minute), true},
		"6 minutes old":    {vectorID, vectorSignature, vectorBody, vectorTimestamp, at.Add(6 * time.Minute), false},
		"6 minutes ahead":  {vectorID, vectorSignature, vectorBody, vectorTimestamp, at.Add(-6 * time.Minute), false},
		"another id":       {"msg_other", vectorSignature, vectorBody, vectorTimestamp, at, false},
		"no id":            {"", vectorSignature, vectorBody, vectorTimestamp, at, false},
		"another body":     {vectorID, vectorSignature, vectorBody + " ", vectorTimestamp, at, false},
		"another time":     {vectorID, vectorSignature, vectorBody, vectorTimestamp + 1, at, false},
		"no signature":     {vectorID, "", vectorBody, vectorTimestamp, at, false},
		"another version":  {vectorID, "v2" + vectorSignature[2:], vectorBody, vectorTimestamp, at, false},
		"half a signature": {vectorID, vectorSignature[:20], vectorBody, vectorTimestamp, at, false},
	} {
		_, err := verifyWebhook(vectorSecret, delivery(c.id, c.timestamp, c.signature), []byte(c.body), c.now)
		if c.ok {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorIs(t, err, ErrWebhook, name)
	}
	_, err := VerifyWebhook("whsec_?", delivery(vectorID, vectorTimestamp, vectorSignature), []byte(vectorBody))
	require.Error(t, err)
	require.NotErrorIs(t, err, ErrWebhook, "a malformed secret is not the request's fault")
}
