//go:build proof

package proof_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// trouble is the share of deliveries that the receiver does not simply accept.
const trouble = 0.25

// subscription is what one webhook has received.
type subscription struct {
	secret string
	// from is the position after which every entry must arrive.
	from int64
	// got has the position of each accepted delivery by its id.
	got map[string]int64
	// seen has every id that has arrived; repeated counts deliveries that were accepted more than once.
	seen     map[string]bool
	repeated int
}

// receiver accepts deliveries, but fails some, delays some, and disconnects from some, before or after accepting them.
type receiver struct {
	*httptest.Server
	mu            sync.Mutex
	subscriptions []*subscription
	faults        []string
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

// subscribe creates a webhook for all entries of webhookType.
func (r *receiver) subscribe(t *testing.T, url string, support *plain.ClientWithResponses) {
	t.Helper()
	r.mu.Lock() // Deliveries wait for the secret.
	defer r.mu.Unlock()
	made, err := support.CreateWebhookWithResponse(t.Context(), nil, client.CreateWebhookRequest{
		URL: fmt.Sprintf("%s/%d", r.URL, len(r.subscriptions)), Types: []string{webhookType},
	})
	require.NoError(t, err)
	require.NotNil(t, made.JSON201, "%s", made.Body)
	s := &subscription{secret: made.JSON201.Secret}
	s.reset(t, url)
	r.subscriptions = append(r.subscriptions, s)
}

func (s *subscription) reset(t *testing.T, url string) {
	t.Helper()
	s.from = int64(storetest.QueryInt(t, url, "SELECT position FROM journal_head"))
	s.got, s.seen = make(map[string]int64), make(map[string]bool)
}

// forget starts over with another database.
func (r *receiver) forget(t *testing.T, url string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.subscriptions {
		s.reset(t, url)
	}
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return // The sender was killed.
	}
	switch first := r.look(request); {
	case !first || rand.Float64() > trouble:
		r.take(request, body)
		w.WriteHeader(http.StatusNoContent)
	case rand.IntN(4) == 0:
		http.Error(w, "not now", http.StatusInternalServerError)
	case rand.IntN(3) == 0:
		panic(http.ErrAbortHandler)
	case rand.IntN(2) == 0:
		r.take(request, body)
		panic(http.ErrAbortHandler)
	default:
		r.take(request, body)
		<-time.After(rand.N(300 * time.Millisecond))
		w.WriteHeader(http.StatusNoContent)
	}
}

func (r *receiver) subscriptionOf(request *http.Request) *subscription {
	n, _ := strconv.Atoi(strings.TrimPrefix(request.URL.Path, "/"))
	return r.subscriptions[n]
}

// look reports whether a delivery arrives for the first time.
func (r *receiver) look(request *http.Request) (first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, id := r.subscriptionOf(request), request.Header.Get("Webhook-Id")
	first = !s.seen[id]
	s.seen[id] = true
	return first
}

// take records an accepted delivery.
func (r *receiver) take(request *http.Request, body []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.subscriptionOf(request)
	event, err := client.VerifyWebhook(s.secret, request.Header, body)
	var data struct{ Position int64 }
	if err == nil {
		err = json.Unmarshal(event.Data, &data)
	}
	if err != nil || event.Type != webhookType {
		r.faults = append(r.faults, fmt.Sprint(event.Type, err))
		return
	}
	before, taken := s.got[event.ID]
	if taken {
		s.repeated++
	}
	if taken && before != data.Position {
		r.faults = append(r.faults, fmt.Sprintf("%s is %d and %d", event.ID, before, data.Position))
	}
	s.got[event.ID] = data.Position
}

// drain waits until everything is delivered. It shortens the waits for another attempt and, unless patient, for the
// jobs of dead replicas.
func (r *receiver) drain(t *testing.T, url string, patient bool) {
	t.Helper()
	if !patient {
		storetest.Exec(t, url, "UPDATE river_job SET state = 'discarded', finalized_at = now() WHERE kind = 'webhook_send' AND state = 'running'")
	}
	require.Eventually(t, func() bool {
		storetest.Exec(t, url, "UPDATE webhook_deliveries SET next_attempt_at = now() WHERE status = 'pending' AND next_attempt_at > now()")
		storetest.Exec(t, url, "UPDATE webhooks SET resume_at = NULL WHERE resume_at > now()")
		return storetest.QueryInt(t, url, `SELECT count(*) FROM webhook_deliveries WHERE status = 'pending'`) == 0 &&
			storetest.QueryInt(t, url, "SELECT h.position - c.position FROM journal_head AS h, webhook_cursor AS c") == 0
	}, 3*time.Minute, 250*time.Millisecond, "not everything is delivered")
}

// check checks that each webhook has received every entry of its type, each under one id. It returns the number of
// deliveries, and how many of them were repeated.
func (r *receiver) check(t *testing.T, url string) (deliveries, repeated int) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	require.Empty(t, r.faults)
	for _, s := range r.subscriptions {
		var want []int64
		text := storetest.QueryText(t, url, `SELECT coalesce(json_agg(position ORDER BY position), '[]')::text FROM journal
			WHERE type = $1 AND position > $2`, webhookType, s.from)
		require.NoError(t, json.Unmarshal([]byte(text), &want))
		ids := make(map[int64]string)
		for id, position := range s.got {
			require.Empty(t, ids[position], "one entry has two ids")
			ids[position] = id
			_, err := uuid.Parse(id)
			require.NoError(t, err)
		}
		for _, position := range want {
			require.NotEmpty(t, ids[position], "the entry at %d was never delivered", position)
		}
		deliveries, repeated = deliveries+len(s.got), repeated+s.repeated
	}
	return deliveries, repeated
}
