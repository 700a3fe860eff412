package api_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/internal/app"
	"github.com/supportbackend/support/internal/config"
	"github.com/supportbackend/support/internal/httpapi"
	"github.com/supportbackend/support/internal/httpapi/contract"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

func TestServerLimitsSlowAndLargeRequests(t *testing.T) {
	t.Parallel()
	s := httpapi.HTTPServer(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	require.Equal(t, 5*time.Second, s.ReadHeaderTimeout)
	require.Equal(t, 15*time.Second, s.ReadTimeout)
	require.Equal(t, 30*time.Second, s.WriteTimeout)
	require.Equal(t, 75*time.Second, s.IdleTimeout)
	require.Equal(t, 64<<10, contract.LeastBodyLimit)
}

func TestHeaderThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	conn := dial(t, d.URL)
	_, err := fmt.Fprintf(conn, "GET /livez HTTP/1.1\r\nHost: support\r\nX-Long: %s\r\n\r\n", strings.Repeat("x", 16<<10))
	require.NoError(t, err)
	r, closes := conn.answer(t)
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, r.Status)
	require.True(t, closes)
	r = d.Do(t, http.MethodGet, "/livez", "", "X-Long: "+strings.Repeat("x", 15<<10))
	require.Equal(t, http.StatusOK, r.Status)
}

// endsAfter returns the time until the server closes the connection.
func endsAfter(conn net.Conn, begin time.Time) (time.Duration, error) {
	_, err := io.Copy(io.Discard, conn)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return 0, err
	}
	return time.Since(begin), nil // A reset is an end too.
}

// requireBetween checks that a limit of the server has ended a connection, and not the next longer one. Until that, the
// machine may be busy.
func requireBetween(t *testing.T, limit, next, end time.Duration) {
	t.Helper()
	require.GreaterOrEqual(t, end, limit-time.Second)
	require.Less(t, end, next)
}

func TestIncompleteHeadersTimeOutAfterFiveSeconds(t *testing.T) {
	t.Parallel()
	const sockets = 500
	d := newCast(t)
	var waiting sync.WaitGroup
	ends := make([]time.Duration, sockets)
	faults := make([]error, sockets)
	for i := range sockets {
		conn := dial(t, d.URL)
		begin := time.Now()
		require.NoError(t, conn.SetDeadline(begin.Add(patience)))
		_, err := io.WriteString(conn, "GET /livez HTTP/1.1\r\nHost: support\r\nX-Half: a")
		require.NoError(t, err)
		waiting.Go(func() { ends[i], faults[i] = endsAfter(conn, begin) })
	}
	require.Equal(t, http.StatusOK, d.owner.Do(t, http.MethodGet, "/tickets", "").Status, "others are served meanwhile")
	waiting.Wait()
	for i, end := range ends {
		require.NoError(t, faults[i])
		requireBetween(t, 5*time.Second, 15*time.Second, end)
	}
}

func TestSlowBodyTimesOutAfterFifteenSeconds(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	d.keepStored(t)
	conn := d.begin(t, d.call(t, "createTicket"), jsonType, "Content-Length: 1000")
	begin := time.Now()
	require.NoError(t, conn.SetDeadline(begin.Add(patience)))
	stop := make(chan struct{})
	var dripping sync.WaitGroup
	dripping.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Second):
				_, _ = io.WriteString(conn, " ")
			}
		}
	})
	end, err := endsAfter(conn, begin)
	close(stop)
	dripping.Wait()
	require.NoError(t, err)
	requireBetween(t, 15*time.Second, 30*time.Second, end)
}

func TestManyLogInsDoNotBlockOtherRequests(t *testing.T) {
	t.Parallel()
	const logIns = 100 // Three times as many as may wait, and few enough to get connections to the database in time.
	d := newCastOn(t, desk.Options{Passwords: app.OptionsOf(config.Defaults()).Account.Passwords})
	statuses := make([]apitest.Response, logIns)
	var logging sync.WaitGroup
	gate := make(chan struct{})
	for i := range logIns {
		logging.Go(func() {
			<-gate
			body := fmt.Sprintf(`{"email":"nobody-%d@example.com","password":%q}`, i, apitest.Password)
			statuses[i] = d.Do(t, http.MethodPost, "/auth/login", body, jsonType)
		})
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		logging.Wait()
	}()
	close(gate)
	var times []time.Duration
	for open := true; open; {
		begin := time.Now()
		require.Equal(t, http.StatusOK, d.owner.Do(t, http.MethodGet, "/tickets", "").Status)
		times = append(times, time.Since(begin))
		select {
		case <-done:
			open = false
		default:
		}
	}
	refused := 0
	for _, r := range statuses {
		if r.Status == http.StatusUnauthorized {
			continue
		}
		requireRefused(t, r, http.StatusServiceUnavailable, client.ProblemCodeServerBusy)
		require.Equal(t, "1", r.Header.Get("Retry-After"))
		refused++
	}
	require.Positive(t, refused, "the queue is bounded")
	require.Less(t, refused, logIns)
	slices.Sort(times)
	p99 := times[len(times)*99/100]
	t.Logf("GET /tickets meanwhile: %d times, p50 %s, p99 %s; %d log-ins refused", len(times), times[len(times)/2], p99, refused)
	require.Less(t, p99, 5*time.Second) // The bound only excludes starvation, because the machine may be busy.
}

func TestPasswordOf64KiBIsRefusedBeforeItIsHashed(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	body := `{"email":"` + d.owner.Email + `","password":"` + strings.Repeat("x", 64<<10-100) + `"}`
	r := d.Do(t, http.MethodPost, "/auth/login", body, jsonType)
	requireRefused(t, r, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed, "/password too_long")
}

// A write that loses repeatedly against others means load, not a fault.
func TestWriteThatKeepsLosingReportsServerBusy(t *testing.T) {
	t.Parallel()
	for _, sqlstate := range []string{"40001", "40P01", "55P03", "57014"} {
		t.Run(sqlstate, func(t *testing.T) {
			t.Parallel()
			d := newCast(t)
			calls := []call{d.call(t, "createTicket"), d.call(t, "createMessage")}
			storetest.Exec(t, d.DatabaseURL, `CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS
				$$ BEGIN RAISE EXCEPTION USING ERRCODE = '`+sqlstate+`'; END $$`)
			for _, table := range []string{"tickets", "messages"} {
				storetest.Exec(t, d.DatabaseURL, "CREATE TRIGGER lose BEFORE INSERT ON "+table+" FOR EACH ROW EXECUTE FUNCTION lose()")
			}
			for _, c := range calls {
				r := d.do(t, c, c.body, jsonType)
				problem := requireRefused(t, r, http.StatusServiceUnavailable, client.ProblemCodeDBBusy)
				require.True(t, problem.Retryable)
				require.Equal(t, "1", r.Header.Get("Retry-After"))
			}
		})
	}
}
