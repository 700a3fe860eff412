package api_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// cut is the point at which a commit gets lost.
type cut int32

const (
	noCut cut = iota
	// beforeCommit breaks the connection instead of forwarding the commit.
	beforeCommit
	// afterCommit forwards the commit, and breaks the connection instead of forwarding the acknowledgement.
	afterCommit
)

// boundCommit is how the driver runs its prepared COMMIT: the statement's name after an empty portal name, in a Bind
// message (PostgreSQL manual, section 55.7).
var boundCommit = func() []byte {
	digest := sha256.Sum256([]byte("COMMIT"))
	return []byte("\x00stmtcache_" + hex.EncodeToString(digest[:24]) + "\x00")
}()

// commitCutter is a proxy between the server and its database that breaks a connection around a commit.
type commitCutter struct {
	upstream string
	// next says how the next commit gets lost, once.
	next atomic.Int32
}

// newCommitCutter returns a cutter and the database's URL through it.
func newCommitCutter(t *testing.T, databaseURL string) (*commitCutter, string) {
	t.Helper()
	u, err := url.Parse(databaseURL)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // Closed below.
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	p := &commitCutter{upstream: u.Host}
	u.Host = listener.Addr().String()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(conn)
		}
	}()
	return p, u.String()
}

func (p *commitCutter) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	database, err := net.Dial("tcp", p.upstream) //nolint:noctx // Closed below.
	if err != nil {
		return
	}
	defer func() { _ = database.Close() }()
	var muted atomic.Bool
	go func() {
		defer func() { _ = client.Close() }()
		defer func() { _ = database.Close() }()
		copyUntil(client, database, func([]byte) bool { return !muted.Load() })
	}()
	copyUntil(database, client, func(sent []byte) bool {
		if !bytes.Contains(sent, boundCommit) {
			return true
		}
		switch cut(p.next.Swap(int32(noCut))) {
		case beforeCommit:
			return false
		case afterCommit:
			muted.Store(true)
		}
		return true
	})
}

// copyUntil copies pieces until pass refuses one.
func copyUntil(to io.Writer, from io.Reader, pass func([]byte) bool) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil || !pass(buffer[:n]) {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// The server cannot know whether a commit succeeded when its acknowledgement is lost. The client simply repeats the
// request.
func TestRepeatAfterALostCommitHasItsEffectOnce(t *testing.T) {
	t.Parallel()
	direct := storetest.NewURL(t)
	cutter, through := newCommitCutter(t, direct)
	s := desk.New(t, desk.Options{DatabaseURL: through})
	user := s.Customer(t)
	ticketID := user.NewTicket(t).ID
	for path, request := range map[string]struct{ body, table string }{
		"/tickets": {ticketBody, "tickets"},
		"/tickets/" + ticketID.String() + "/messages": {`{"content":"Once."}`, "messages"},
	} {
		for _, where := range []cut{beforeCommit, afterCommit} {
			count := func() int { return storetest.QueryInt(t, direct, "SELECT count(*) FROM "+request.table) }
			before := count()
			key := keyHeader(uuid.NewString())
			cutter.next.Store(int32(where))
			lost := user.Do(t, http.MethodPost, path, request.body, jsonType, key)
			problem := lost.RequireProblem(t, http.StatusServiceUnavailable, client.ProblemCodeDBUnavailable)
			require.True(t, problem.Retryable)
			require.EqualValues(t, noCut, cutter.next.Load(), "the commit was cut")

			again := user.Do(t, http.MethodPost, path, request.body, jsonType, key)
			require.Equal(t, http.StatusCreated, again.Status, "%s", again.Body)
			require.Equal(t, where == afterCommit, again.Header.Get("Idempotency-Replayed") == "true")
			require.Equal(t, before+1, count(), "%s", path)
			once := user.Do(t, http.MethodPost, path, request.body, jsonType, key)
			require.Equal(t, again.Body, once.Body)
			require.Equal(t, before+1, count(), "%s", path)
		}
	}
}

// The client disconnects, immediately or after its request had its effect, and sees no response.
func TestRepeatAfterALostResponseHasItsEffectOnce(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	for round := range 20 {
		key := uuid.NewString()
		before := countRows(t, d.Desk, "tickets")
		conn := dial(t, d.URL)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.URL+"/tickets", strings.NewReader(ticketBody))
		require.NoError(t, err)
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Authorization", "Bearer "+d.owner.Token)
		request.Header.Set("Idempotency-Key", key)
		require.NoError(t, request.Write(conn))
		if round%2 == 1 {
			// The first byte of the response comes after the commit.
			_, err := conn.Read(make([]byte, 1))
			require.NoError(t, err)
		}
		require.NoError(t, conn.Close())

		again := d.owner.Do(t, http.MethodPost, "/tickets", ticketBody, jsonType, keyHeader(key))
		require.Equal(t, http.StatusCreated, again.Status, "%s", again.Body)
		require.Equal(t, before+1, countRows(t, d.Desk, "tickets"))
	}
}
