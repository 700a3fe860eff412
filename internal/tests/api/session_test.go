package api_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// events returns the log's lines about a security event.
func (b *logBuffer) events(name string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var lines []string
	for line := range strings.Lines(b.text.String()) {
		if strings.Contains(line, "msg=security") && regexp.MustCompile(`event="?`+name).MatchString(line) {
			lines = append(lines, line)
		}
	}
	return lines
}

// String returns the whole log.
func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// refresh exchanges a refresh token. The tokens are nil if that fails.
func refresh(t *testing.T, s *desk.Desk, token string) (*client.AccessToken, apitest.Response) {
	t.Helper()
	r := post(t, s, "/auth/refresh", map[string]string{"refresh_token": token})
	if r.Status != http.StatusOK {
		return nil, r
	}
	var tokens client.AccessToken
	require.NoError(t, json.Unmarshal(r.Body, &tokens))
	return &tokens, r
}

func mustRefresh(t *testing.T, s *desk.Desk, token string) client.AccessToken {
	t.Helper()
	tokens, r := refresh(t, s, token)
	require.NotNil(t, tokens, "%s", r.Body)
	return *tokens
}

// requireReuse checks that a token is refused because it was used before.
func requireReuse(t *testing.T, s *desk.Desk, token string) {
	t.Helper()
	_, r := refresh(t, s, token)
	r.RequireProblem(t, http.StatusUnauthorized, client.ProblemCodeTokenReuse)
	require.Equal(t, []string{`Bearer realm="support", error="invalid_token"`}, r.Header.Values("WWW-Authenticate"))
}

// requireNoRefresh checks that a token is refused because its session does not exist.
func requireNoRefresh(t *testing.T, s *desk.Desk, token string) {
	t.Helper()
	_, r := refresh(t, s, token)
	r.RequireProblem(t, http.StatusUnauthorized, client.ProblemCodeInvalidToken)
}

// statusWith returns the status of GET /me with an access token.
func statusWith(t *testing.T, s *desk.Desk, access string) int {
	t.Helper()
	return s.Do(t, http.MethodGet, "/me", "", "Authorization: Bearer "+access).Status
}

// nextPage returns the path of the next page.
func nextPage(t *testing.T, r apitest.Response) string {
	t.Helper()
	next := regexp.MustCompile(`^<(.+)>; rel="next"$`).FindStringSubmatch(r.Header.Get("Link"))
	require.Len(t, next, 2, "%v", r.Header)
	return next[1]
}

// passTime moves a session's times into the past, because sessions use the database's clock.
func passTime(t *testing.T, s *desk.Desk, d time.Duration) {
	t.Helper()
	storetest.Exec(t, s.DatabaseURL, `UPDATE sessions SET created_at = created_at - make_interval(secs => $1),
		last_used_at = last_used_at - make_interval(secs => $1), expires_at = expires_at - make_interval(secs => $1),
		parent_expires_at = parent_expires_at - make_interval(secs => $1),
		refresh_credit_at = refresh_credit_at - make_interval(secs => $1)`, d.Seconds())
}

func TestRefreshReturnsTheNextTokensOfTheSession(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	session := user.Sessions(t)[0].ID
	token := user.Refresh
	for range 3 {
		next := mustRefresh(t, s, token)
		require.Regexp(t, `^srt_[A-Za-z0-9_-]{86}$`, next.RefreshToken)
		require.NotEqual(t, token, next.RefreshToken)
		require.Equal(t, int32(900), next.ExpiresIn)
		sessions := user.With(t, s.Client, next.AccessToken).Sessions(t)
		require.Len(t, sessions, 1)
		require.Equal(t, session, sessions[0].ID)
		token = next.RefreshToken
	}
	require.Equal(t, http.StatusOK, statusWith(t, s, user.Token), "the previous access token stays valid until it expires")
}

func TestStoredRefreshTokensAreHashes(t *testing.T) {
	t.Parallel()
	var log logBuffer
	s := desk.New(t, desk.Options{Log: &log})
	user := s.Customer(t)
	next := mustRefresh(t, s, user.Refresh)
	for _, token := range []string{user.Refresh, next.RefreshToken} {
		require.NotContains(t, log.String(), token)
		for _, encoding := range []string{"escape", "hex", "base64"} {
			stored := storetest.QueryText(t, s.DatabaseURL,
				"SELECT string_agg(concat_ws(' ', s::text, encode(s.token_hash, $1), encode(s.parent_hash, $1)), ' ') FROM sessions AS s",
				encoding)
			require.NotContains(t, stored, strings.TrimPrefix(token, "srt_"))
			for part := range strings.FieldsSeq(stored) {
				_, r := refresh(t, s, part)
				require.NotEqual(t, http.StatusOK, r.Status)
			}
		}
	}
	mustRefresh(t, s, next.RefreshToken)
}

func TestInvalidRefreshTokensAreRefused(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	for _, token := range []string{
		"x", "srt_", "srt_" + strings.Repeat("A", 86), user.Token, user.Refresh + "=", user.Refresh[:len(user.Refresh)-1],
		strings.ToUpper(user.Refresh), " " + user.Refresh, strings.TrimPrefix(user.Refresh, "srt_"), "' OR 1=1 --",
		strings.Repeat("x", 512), user.Refresh[:88] + "\u00e9",
	} {
		requireNoRefresh(t, s, token)
	}
	got := s.Do(t, http.MethodGet, "/me", "", "Authorization: Bearer "+user.Refresh)
	got.RequireProblem(t, http.StatusUnauthorized, client.ProblemCodeInvalidToken)
	mustRefresh(t, s, user.Refresh)
}

// The retry may come late: a browser that slept may repeat its request after days.
func TestLostResponseOfARefreshLogsNobodyOut(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	token := user.Refresh
	for _, late := range []time.Duration{0, time.Minute, 2 * day, 3 * day} {
		lost := mustRefresh(t, s, token)
		passTime(t, s, late)
		again := mustRefresh(t, s, token)
		require.NotEqual(t, lost.RefreshToken, again.RefreshToken)
		require.Equal(t, http.StatusOK, statusWith(t, s, again.AccessToken))
		if late == 0 {
			token = mustRefresh(t, s, again.RefreshToken).RefreshToken
		}
	}
}

// A used token expires no later than it would have unused.
func TestUsedRefreshTokenKeepsItsExpiry(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	passTime(t, s, 4*day)
	next := mustRefresh(t, s, user.Refresh)
	passTime(t, s, 3*day)
	requireNoRefresh(t, s, user.Refresh)
	mustRefresh(t, s, next.RefreshToken)
	requireReuse(t, s, user.Refresh)
}

func TestInvalidatedRefreshTokenEndsTheSession(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	first := mustRefresh(t, s, user.Refresh)
	second := mustRefresh(t, s, user.Refresh)
	requireReuse(t, s, first.RefreshToken)
	requireNoRefresh(t, s, second.RefreshToken)
	require.Equal(t, http.StatusUnauthorized, statusWith(t, s, second.AccessToken))
}

func TestReusedRefreshTokenEndsTheSession(t *testing.T) {
	t.Parallel()
	var log logBuffer
	s := desk.New(t, desk.Options{Log: &log})
	user := s.Customer(t)
	spared := s.LogIn(t, user.Email, apitest.Password)
	next := mustRefresh(t, s, user.Refresh)
	require.Equal(t, http.StatusOK, statusWith(t, s, next.AccessToken))
	next = mustRefresh(t, s, next.RefreshToken)
	requireReuse(t, s, user.Refresh)

	requireNoRefresh(t, s, user.Refresh)
	requireNoRefresh(t, s, next.RefreshToken)
	require.Equal(t, http.StatusUnauthorized, statusWith(t, s, user.Token))
	require.Equal(t, http.StatusUnauthorized, statusWith(t, s, next.AccessToken))
	require.Equal(t, http.StatusOK, statusWith(t, s, spared.Token), "other sessions of the account continue")

	lines := log.events("refresh token reused")
	require.Len(t, lines, 1)
	require.Contains(t, lines[0], "level=WARN")
	require.Contains(t, lines[0], "user_id="+user.ID.String())
	require.Contains(t, lines[0], "session_id=")
	require.NotContains(t, log.String(), user.Refresh)
}

func TestRefreshTokenWhoseChildWasUsedEndsTheSession(t *testing.T) {
	t.Parallel()
	for _, grandparent := range []bool{false, true} {
		s := desk.New(t, desk.Options{})
		user := s.Customer(t)
		child := mustRefresh(t, s, user.Refresh)
		last := mustRefresh(t, s, child.RefreshToken)
		if grandparent {
			last = mustRefresh(t, s, last.RefreshToken)
		}
		requireReuse(t, s, user.Refresh)
		requireNoRefresh(t, s, last.RefreshToken)
		require.Equal(t, http.StatusUnauthorized, statusWith(t, s, last.AccessToken))
		require.Zero(t, countRows(t, s, "sessions"))
	}
}

func TestTwentyUsesOfARefreshTokenLeaveOneLiveChild(t *testing.T) {
	t.Parallel()
	const uses = 20
	first := desk.New(t, desk.Options{NoAI: true})
	servers := []*desk.Desk{first, desk.New(t, desk.Options{DatabaseURL: first.DatabaseURL, NoAI: true})}
	user := first.Customer(t)
	var children [uses]*client.AccessToken
	var answers [uses]apitest.Response
	race(func() (uses []func()) {
		for i := range children {
			uses = append(uses, func() { children[i], answers[i] = refresh(t, servers[i%2], user.Refresh) })
		}
		return uses
	}()...)
	got := 0
	for i, answer := range answers {
		if children[i] != nil {
			got++
			continue
		}
		require.Contains(t, []int{http.StatusUnauthorized, http.StatusServiceUnavailable}, answer.Status, "%s", answer.Body)
	}
	require.Positive(t, got)
	mustRefresh(t, first, mustRefresh(t, first, user.Refresh).RefreshToken) // The session continues.
	alive := 0
	for i, child := range children {
		if child == nil {
			continue
		}
		if next, _ := refresh(t, servers[i%2], child.RefreshToken); next != nil {
			alive++
		}
	}
	require.Zero(t, alive, "only the last child works")
}

func TestSessionExpiresWhenIdleOrOld(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	s := desk.New(t, desk.Options{})
	idle := s.Customer(t)
	passTime(t, s, 7*day-time.Minute)
	next := mustRefresh(t, s, idle.Refresh)
	passTime(t, s, 7*day)
	requireNoRefresh(t, s, next.RefreshToken)

	busy := s.Customer(t)
	token := busy.Refresh
	for range 4 {
		passTime(t, s, 7*day-time.Minute)
		token = mustRefresh(t, s, token).RefreshToken
	}
	passTime(t, s, 2*day)
	access := mustRefresh(t, s, token)
	require.Equal(t, http.StatusOK, statusWith(t, s, access.AccessToken))
	passTime(t, s, 5*time.Minute)
	requireNoRefresh(t, s, access.RefreshToken)
	other := desk.New(t, desk.Options{DatabaseURL: s.DatabaseURL, NoAI: true})
	require.Equal(t, http.StatusUnauthorized, statusWith(t, other, access.AccessToken), "a session ends after 30 days")
}

func TestSessionsAreListedInPagesByTheirOwnerOnly(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user, stranger := s.Customer(t), s.Customer(t)
	for range 3 {
		s.LogIn(t, user.Email, apitest.Password)
	}
	got := user.Do(t, http.MethodGet, "/auth/sessions?limit=3", "", "User-Agent: x")
	require.Equal(t, http.StatusOK, got.Status, "%s", got.Body)
	var page []client.Session
	require.NoError(t, json.Unmarshal(got.Body, &page))
	require.Len(t, page, 3)
	next := nextPage(t, got)
	stranger.Do(t, http.MethodGet, next, "").
		RequireProblem(t, http.StatusBadRequest, client.ProblemCodeInvalidParameter)
	got = user.Do(t, http.MethodGet, next, "")
	var rest []client.Session
	require.NoError(t, json.Unmarshal(got.Body, &rest))
	require.Len(t, rest, 1)
	require.Empty(t, got.Header.Get("Link"))

	seen := make(map[uuid.UUID]bool)
	for i, session := range append(page, rest...) {
		require.False(t, seen[session.ID])
		seen[session.ID] = true
		require.Equal(t, i == 3, session.Current, "the first session is the user's own, so it is the last of the list")
		require.Equal(t, "127.0.0.0/24", session.IP)
		require.Contains(t, session.UserAgent, "Go-http-client")
	}
	require.Len(t, stranger.Sessions(t), 1)
}
