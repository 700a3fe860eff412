//go:build proof

package proof_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

const (
	// receivers is the number of healthy receivers. eventPause is the time between events for all of them, and
	// requestPause the time between other requests.
	receivers    = 4
	eventPause   = 50 * time.Millisecond
	requestPause = 20 * time.Millisecond
	// deadType is the type of event that only the dead receiver subscribes to.
	deadType = "ticket.snoozed"
	// maxSlower is the factor by which the others' times may grow, plus a little for the precision of measurements.
	maxSlower     = 1.1
	maxDifference = 10.0
)

// queueFigures are the times of the others, and the work of a server and its database, without and with a dead
// receiver.
type queueFigures struct {
	Queued int       `json:"queued"`
	Alone  watchings `json:"alone"`
	Beside watchings `json:"beside_dead_receiver"`
}

type watchings struct {
	CommitToReceived milliseconds `json:"commit_to_received_ms"`
	Received         int          `json:"received"`
	Request          milliseconds `json:"request_ms"`
	ServerMiB        float64      `json:"server_mib"`
	RowsPerSecond    float64      `json:"database_rows_per_second"`
	CommitsPerSecond float64      `json:"database_commits_per_second"`
	DeadAttempts     int          `json:"attempts_at_the_dead_receiver"`
}

// arrivals are the times at which deliveries arrived, by subject.
type arrivals struct {
	mu sync.Mutex
	at map[uuid.UUID][]time.Time
}

func (a *arrivals) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Data struct {
			SubjectID uuid.UUID `json:"subject_id"`
		}
	}
	err := json.NewDecoder(r.Body).Decode(&body)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		a.at[body.Data.SubjectID] = append(a.at[body.Data.SubjectID], time.Now())
	}
	w.WriteHeader(http.StatusNoContent)
}

// queueDesk is one server with webhooks.
type queueDesk struct {
	url      string
	server   *replica
	support  *plain.ClientWithResponses
	arrivals *arrivals
}

// A dead receiver with a long queue changes nothing for other receivers, for requests, and for the database.
func TestDeadReceiverChangesNothingForTheOthers(t *testing.T) {
	t.Parallel()
	p := thePlan()
	d := &queueDesk{url: p.database(t), arrivals: &arrivals{at: make(map[uuid.UUID][]time.Time)}}
	token := desk.New(t, desk.Options{DatabaseURL: d.url, NoAI: true}).Staff(t, sqlc.UserRoleAdmin).Token
	d.server = startReplica(t, d.url, replicaOptions{})
	d.support = d.server.client(token)
	alive := httptest.NewServer(d.arrivals)
	t.Cleanup(alive.Close)
	released := make(chan struct{})
	dead := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-released }))
	t.Cleanup(dead.Close)
	t.Cleanup(func() { close(released) })
	for range receivers {
		d.subscribe(t, alive.URL, webhookType)
	}
	d.subscribe(t, dead.URL, deadType)

	f := queueFigures{Queued: p.queued}
	d.watch(t, p.watched/4) // Warm-up.
	f.Alone = d.watch(t, p.watched)
	storetest.Exec(t, d.url, `INSERT INTO journal_outbox (type, actor_kind, subject_id)
		SELECT $1, 'system', gen_random_uuid() FROM generate_series(1, $2::integer)`, deadType, p.queued)
	require.Eventually(t, func() bool {
		return storetest.QueryInt(t, d.url, "SELECT count(*) FROM webhook_deliveries WHERE type = $1", deadType) == p.queued
	}, 5*time.Minute, 200*time.Millisecond)
	storetest.Exec(t, d.url, "ANALYZE webhook_deliveries")
	f.Beside = d.watch(t, p.watched)
	require.Less(t, f.Beside.DeadAttempts, 200, "the dead receiver gets only a few attempts")
	printFigures(t, f)
	if p.full {
		require.Less(t, f.Beside.CommitToReceived.P99, maxSlower*f.Alone.CommitToReceived.P99+maxDifference)
		require.Less(t, f.Beside.Request.P99, maxSlower*f.Alone.Request.P99+maxDifference)
	}
}

func (d *queueDesk) subscribe(t *testing.T, url, kind string) {
	t.Helper()
	made, err := d.support.CreateWebhookWithResponse(t.Context(), nil, client.CreateWebhookRequest{URL: url + "/", Types: []string{kind}})
	require.NoError(t, err)
	require.NotNil(t, made.JSON201, "%s", made.Body)
}

// watch commits events and sends requests, and measures how long they take.
func (d *queueDesk) watch(t *testing.T, duration time.Duration) (w watchings) {
	t.Helper()
	rows, commits := d.counted(t)
	ctx, cancel := context.WithTimeout(t.Context(), duration)
	defer cancel()
	committed := make(map[uuid.UUID]time.Time)
	var requests []time.Duration
	var running sync.WaitGroup
	running.Go(func() {
		every(ctx, eventPause, func() {
			name := uuid.New()
			storetest.Exec(t, d.url, "INSERT INTO journal_outbox (type, actor_kind, subject_id) VALUES ($1, 'system', $2)", webhookType, name)
			committed[name] = time.Now()
		})
	})
	running.Go(func() {
		every(ctx, requestPause, func() {
			begin := time.Now()
			got, err := d.support.ListTicketsWithResponse(context.WithoutCancel(ctx), nil)
			if err != nil || got.StatusCode() != http.StatusOK {
				t.Error("a request has failed", err)
			}
			requests = append(requests, time.Since(begin))
		})
	})
	running.Wait()
	laterRows, laterCommits := d.counted(t)
	w.RowsPerSecond = float64(laterRows-rows) / duration.Seconds()
	w.CommitsPerSecond = float64(laterCommits-commits) / duration.Seconds()
	w.Request, w.ServerMiB = shares(requests), memoryOf(t, d.server)
	w.CommitToReceived, w.Received = d.received(t, committed)
	w.DeadAttempts = storetest.QueryInt(t, d.url, `SELECT count(*) FROM webhook_attempts AS a
		JOIN webhook_deliveries AS d ON d.id = a.delivery_id WHERE d.type = $1`, deadType)
	return w
}

// received waits until every receiver has every committed event, and returns how long that took.
func (d *queueDesk) received(t *testing.T, committed map[uuid.UUID]time.Time) (ms milliseconds, count int) {
	t.Helper()
	var took []time.Duration
	require.Eventually(t, func() bool {
		d.arrivals.mu.Lock()
		defer d.arrivals.mu.Unlock()
		took = nil
		for name, at := range committed {
			for _, arrived := range d.arrivals.at[name] {
				took = append(took, arrived.Sub(at))
			}
		}
		return len(took) >= receivers*len(committed)
	}, time.Minute, 50*time.Millisecond)
	return shares(took), len(took)
}

// counted returns how many rows the database has read and how many transactions it has committed.
func (d *queueDesk) counted(t *testing.T) (rows, commits int) {
	t.Helper()
	number := func(column string) int {
		return storetest.QueryInt(t, d.url, "SELECT "+column+" FROM pg_stat_database WHERE datname = current_database()")
	}
	return number("tup_returned + tup_fetched"), number("xact_commit")
}

// memoryOf returns the memory of the process in MiB, where the system tells it.
func memoryOf(t *testing.T, r *replica) float64 {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(r.cmd.Process.Pid) + "/statm")
	if err != nil {
		return 0
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	require.NoError(t, err)
	return float64(pages*os.Getpagesize()) / (1 << 20)
}

// every calls f in each period until ctx ends.
func every(ctx context.Context, period time.Duration, f func()) {
	for tick := time.NewTicker(period); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f()
		}
	}
}
