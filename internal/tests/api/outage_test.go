package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/internal/dev/pgembed"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// movingDatabase is the test's own PostgreSQL, which can be restarted. Connections go through a relay, because its port
// changes with each start.
type movingDatabase struct {
	options pgembed.Options
	server  *pgembed.Server
	target  atomic.Pointer[string] // nil while it is down
	url     string
}

func newMovingDatabase(t *testing.T) *movingDatabase {
	t.Helper()
	dir, err := os.MkdirTemp(storetest.MemoryDir(), "support-outage-*")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755)) // The database's user must be able to enter the directory.
	d := &movingDatabase{options: pgembed.Options{Dir: dir, Template: storetest.Files(t), Unsafe: true}}
	d.start(t)
	t.Cleanup(func() { d.stop(t) })
	d.url = d.listen(t, d.server.URL("postgres"))
	migrator, err := store.OpenMigrator(d.url)
	require.NoError(t, err)
	require.NoError(t, migrator.Up())
	require.NoError(t, migrator.Close())
	return d
}

// listen starts the relay, and returns the database's URL through it.
func (d *movingDatabase) listen(t *testing.T, direct string) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go d.relay(listener)
	address, err := url.Parse(direct)
	require.NoError(t, err)
	address.Host = listener.Addr().String()
	return address.String()
}

func (d *movingDatabase) start(t *testing.T) {
	t.Helper()
	var err error
	d.server, err = pgembed.Start(context.Background(), d.options)
	require.NoError(t, err)
	address, err := url.Parse(d.server.URL(""))
	require.NoError(t, err)
	d.target.Store(&address.Host)
}

func (d *movingDatabase) stop(t *testing.T) {
	t.Helper()
	d.target.Store(nil)
	require.NoError(t, d.server.Stop())
}

func (d *movingDatabase) relay(listener net.Listener) {
	for {
		front, err := listener.Accept()
		if err != nil {
			return
		}
		target := d.target.Load()
		if target == nil {
			_ = front.Close()
			continue
		}
		back, err := new(net.Dialer).DialContext(context.Background(), "tcp", *target)
		if err != nil {
			_ = front.Close()
			continue
		}
		for _, pair := range [][2]net.Conn{{front, back}, {back, front}} {
			go func() {
				_, _ = io.Copy(pair[0], pair[1])
				_ = pair[0].Close()
				_ = pair[1].Close()
			}()
		}
	}
}

// traffic is the clients' requests while the database restarts, and the responses.
type traffic struct {
	s      *desk.Desk
	user   *apitest.User
	ticket client.Ticket
	// patience is how long a response may take.
	patience time.Duration

	mu       sync.Mutex
	statuses map[int]int
	acked    map[string]bool // the paths of resources created with 201
	messages []string        // the ids of messages created with 201
	faults   []string
}

func newTraffic(s *desk.Desk, user *apitest.User, ticket client.Ticket, patience time.Duration) *traffic {
	return &traffic{
		s: s, user: user, ticket: ticket, patience: patience, statuses: make(map[int]int), acked: make(map[string]bool),
	}
}

// send sends one of a mix of requests.
func (l *traffic) send(ctx context.Context, i int) {
	ctx, cancel := context.WithTimeout(ctx, l.patience)
	defer cancel()
	method, path, body := http.MethodGet, "/tickets?limit=10", ""
	switch i % 4 {
	case 1:
		path = "/tickets/" + l.ticket.ID.String()
	case 2:
		method, path, body = http.MethodPost, "/tickets", `{"title":"t","description":"d"}`
	case 3:
		method, path, body = http.MethodPost, "/tickets/"+l.ticket.ID.String()+"/messages", `{"content":"c"}`
	}
	request, err := http.NewRequestWithContext(ctx, method, l.s.URL+path, strings.NewReader(body))
	if err != nil {
		l.fault(err.Error())
		return
	}
	request.Header.Set("Authorization", "Bearer "+l.user.Token)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := l.s.HTTP.Do(request)
	if err != nil {
		l.fault(method + " " + path + ": " + err.Error())
		return
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		l.fault(err.Error())
		return
	}
	l.note(response, i%4 == 3, text)
}

func (l *traffic) note(response *http.Response, message bool, text []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.statuses[response.StatusCode]++
	switch {
	case response.StatusCode == http.StatusCreated && message:
		var m client.Message
		_ = json.Unmarshal(text, &m)
		l.messages = append(l.messages, m.ID.String())
	case response.StatusCode == http.StatusCreated:
		l.acked[response.Header.Get("Location")] = true
	case response.StatusCode == http.StatusServiceUnavailable && response.Header.Get("Retry-After") == "":
		l.faults = append(l.faults, "503 without Retry-After")
	}
}

func (l *traffic) fault(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = append(l.faults, text)
}

// flow sends requests at a steady rate until ctx ends, and returns when all have responses.
func (l *traffic) flow(ctx context.Context, perSecond int) {
	ticker := time.NewTicker(time.Second / time.Duration(perSecond))
	defer ticker.Stop()
	var running sync.WaitGroup
	defer running.Wait()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			running.Go(func() { l.send(context.WithoutCancel(ctx), i) })
		}
	}
}

// TEST_RESTARTS sets the number of restarts and enables strict time limits. Without it, the machine may be busy.
func TestRestartsOfTheDatabaseLoseNothingThatWasAcknowledged(t *testing.T) {
	t.Parallel()
	restarts, perSecond, patience := 2, 50, 20*time.Second
	if n, err := strconv.Atoi(os.Getenv("TEST_RESTARTS")); err == nil {
		restarts, perSecond, patience = n, 200, 5*time.Second
	}
	d := newMovingDatabase(t)
	s := desk.New(t, desk.Options{DatabaseURL: d.url})
	user := s.Customer(t)
	l := newTraffic(s, user, user.NewTicket(t), patience)
	ctx, stop := context.WithCancel(t.Context())
	flowing := make(chan struct{})
	go func() {
		defer close(flowing)
		l.flow(ctx, perSecond)
	}()
	count := func(status int) int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.statuses[status]
	}
	for range restarts {
		before := count(http.StatusCreated)
		require.Eventually(t, func() bool { return count(http.StatusCreated) > before+perSecond/10 }, patience, 10*time.Millisecond,
			"the server recovers")
		refused := count(http.StatusServiceUnavailable)
		d.stop(t)
		require.Eventually(t, func() bool { return count(http.StatusServiceUnavailable) > refused }, patience, 10*time.Millisecond)
		d.start(t)
	}
	before := count(http.StatusCreated)
	require.Eventually(t, func() bool { return count(http.StatusCreated) > before+perSecond/10 }, patience, 10*time.Millisecond)
	stop()
	<-flowing

	t.Log("answers by status:", l.statuses)
	require.Empty(t, l.faults)
	for status := range l.statuses {
		require.Contains(t, []int{http.StatusOK, http.StatusCreated, http.StatusServiceUnavailable}, status)
	}
	stored := map[string]bool{}
	pages(t, user, "/tickets?limit=200", func(body []byte) {
		var page []client.Ticket
		require.NoError(t, json.Unmarshal(body, &page))
		for _, ticket := range page {
			stored["/tickets/"+ticket.ID.String()] = true
		}
	})
	require.NotEmpty(t, l.acked)
	for path := range l.acked {
		require.True(t, stored[path], "%s was acknowledged and is gone", path)
	}
	said := map[string]bool{}
	pages(t, user, "/tickets/"+l.ticket.ID.String()+"/messages?limit=200", func(body []byte) {
		var page []client.Message
		require.NoError(t, json.Unmarshal(body, &page))
		for _, message := range page {
			require.False(t, said[message.ID.String()], "a message exists twice")
			said[message.ID.String()] = true
		}
	})
	require.NotEmpty(t, l.messages)
	for _, id := range l.messages {
		require.True(t, said[id], "a message was acknowledged and is gone")
	}
}

func TestOutageFailsReadinessWithoutFloodingTheLog(t *testing.T) {
	t.Parallel()
	d := newMovingDatabase(t)
	log := &logBuffer{}
	s := desk.New(t, desk.Options{DatabaseURL: d.url, Logger: slog.New(slog.NewJSONHandler(log, nil))})
	status := func(path string) int { return s.Do(t, http.MethodGet, path, "").Status }
	require.Equal(t, http.StatusOK, status("/readyz"))
	before := len(log.lines(t))
	d.stop(t)
	down := time.Now()
	require.Eventually(t, func() bool { return status("/readyz") == http.StatusServiceUnavailable }, patience, 50*time.Millisecond)
	require.Less(t, time.Since(down), 10*time.Second)
	for end := down.Add(4 * time.Second); time.Now().Before(end); {
		begin := time.Now()
		require.Equal(t, http.StatusOK, status("/livez"))
		require.Less(t, time.Since(begin), 5*time.Second)
		status("/readyz")
	}
	lines := log.lines(t)[before:]
	require.LessOrEqual(t, float64(len(lines)), 1+time.Since(down).Seconds(), "one line a second at most: %v", lines)
	require.NotContains(t, fmt.Sprint(lines), "password")
	d.start(t)
	require.Eventually(t, func() bool { return status("/readyz") == http.StatusOK }, patience, 50*time.Millisecond)
}

// The database's disk is full.
func TestLogSaysThatAnAnswerCannotBeStored(t *testing.T) {
	t.Parallel()
	var log logBuffer
	s := desk.New(t, desk.Options{Log: &log})
	storetest.Exec(t, s.DatabaseURL, `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full'; END $$`)
	storetest.Exec(t, s.DatabaseURL, "CREATE TRIGGER fail BEFORE INSERT ON messages FOR EACH ROW WHEN (NEW.author = 'ai') EXECUTE FUNCTION fail()")
	customer := s.Customer(t)
	stream := customer.Stream(t, customer.NewTicket(t).ID)
	says := func(message string) func() bool {
		return func() bool {
			return strings.Contains(log.String(), message+`" while="recording the end of an answer"`)
		}
	}
	require.Eventually(t, says("background work fails"), patience, 10*time.Millisecond)
	storetest.Exec(t, s.DatabaseURL, "DROP TRIGGER fail ON messages")
	require.NotNil(t, stream.ReadAll().Done)
	require.Eventually(t, says("background work succeeds again"), patience, 10*time.Millisecond)
}
