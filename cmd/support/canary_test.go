package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/dev/pgembed"
	"github.com/supportbackend/support/internal/testing/groqtest"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// syncBuffer is a buffer that can be read while programs write to it.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// The canaries. Each may be visible only where it belongs.
const (
	canaryPassword = "canary-password-q7zx"
	canaryEmail    = "canary-email-q7zx@example.com"
	canaryText     = "canary-text-q7zx"
	canaryKey      = "canary-groq-key-q7zx"
	canaryDSN      = "canarydsnq7zx"
	canaryCursor   = "canarycursorq7zx"
	canaryToken    = "canary-token-q7zx"
	canaryHeader   = "canary-header-q7zx"
)

// aviary is a server with log level debug. All its output is kept.
type aviary struct {
	address string
	log     *syncBuffer
	pg      *pgembed.Server
	admin   string
	sim     *groqsim.Simulator
	stop    func()

	token    string
	ticket   string
	problems strings.Builder
}

func newAviary(t *testing.T) *aviary {
	t.Helper()
	a := &aviary{log: &syncBuffer{}, sim: groqsim.New(groqsim.Options{})}
	var err error
	a.pg, err = pgembed.Start(context.Background(), pgembed.Options{Template: storetest.Files(t), Unsafe: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = a.pg.Stop() })
	a.admin = a.pg.URL("")
	storetest.Exec(t, a.admin, "CREATE ROLE app SUPERUSER LOGIN PASSWORD '"+canaryDSN+"'")
	dsn, err := url.Parse(a.admin)
	require.NoError(t, err)
	dsn.User = url.UserPassword("app", canaryDSN)
	upstream := groqtest.Serve(t, a.sim)
	environ := []string{
		"DATABASE_URL=" + dsn.String(), "SUPPORT_RATE_LIMIT=0", "GROQ_API_URL=" + upstream, "GROQ_API_KEY=" + canaryKey, testSecret,
		"SUPPORT_ADDR=127.0.0.1:0", "SUPPORT_LOG_LEVEL=debug", "SUPPORT_DEBUG_ADDR=127.0.0.1:0", "SUPPORT_SIGNUP_LIMIT=0",
	}
	code, out := run(t, program(t, environ, "migrate", "up"))
	require.Zero(t, code, out)
	cmd := program(t, environ, "serve")
	cmd.Stdout, cmd.Stderr = a.log, a.log
	require.NoError(t, cmd.Start())
	a.stop = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		_ = cmd.Process.Signal(syscall.SIGINT)
		_ = cmd.Wait()
	})
	t.Cleanup(a.stop)
	require.Eventually(t, func() bool { return listenPattern.MatchString(a.log.String()) }, readyWithin, readyPoll)
	a.address = "http://" + listenPattern.FindStringSubmatch(a.log.String())[1]
	return a
}

// do sends a request, and keeps the response if it is a problem.
func (a *aviary) do(t *testing.T, method, path, body string, header ...string) (int, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, a.address+path, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+a.token)
	request.Header.Set("Content-Type", "application/json")
	for _, name := range []string{"User-Agent", "Referer", "Idempotency-Key", "If-Match", "Origin", "Last-Event-ID"} {
		request.Header.Set(name, canaryHeader)
	}
	request.Header.Set("X-Request-Id", "not_an_id_"+canaryHeader)
	request.Header.Set("Cookie", "session="+canaryHeader)
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	if response.StatusCode >= 400 {
		fmt.Fprintf(&a.problems, "%d %v %s\n", response.StatusCode, response.Header, text)
	}
	return response.StatusCode, text
}

// walk calls the operations with matching paths in many wrong ways.
func (a *aviary) walk(t *testing.T, paths *regexp.Regexp) {
	t.Helper()
	var spec struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	require.NoError(t, json.Unmarshal(api.SpecJSON, &spec))
	parameter := regexp.MustCompile(`\{[a-z_]+\}`)
	for template, item := range spec.Paths {
		for method := range item {
			method = strings.ToUpper(method)
			if method == "PARAMETERS" || template == "/auth/logout" || !paths.MatchString(template) {
				continue // Logging out would end the walk.
			}
			endless := template == "/events/stream"
			for _, path := range []string{
				parameter.ReplaceAllString(template, a.ticket), parameter.ReplaceAllString(template, canaryText),
			} {
				for _, body := range []string{
					"", `{"unknown":"` + canaryText + `"}`, `{"email":"` + canaryEmail + `","password":"` + canaryPassword + `","x":1}`,
					`{"password":{"x":"` + canaryPassword + `"}}`, `"` + canaryText, `{"content":"` + canaryText + `\u0000"}`,
					`{"content":"` + canaryText + `"}`, `{"title":"` + canaryText + `","description":"` + canaryText + `"}`,
				} {
					if strings.HasSuffix(template, "ai-response") && body != "" || method == http.MethodDelete || endless {
						continue
					}
					a.do(t, method, path, body)
				}
				a.do(t, method, path+"?cursor="+canaryCursor+"&limit="+canaryText+"&x="+canaryText, "", "Accept: "+canaryHeader)
				if !endless {
					a.do(t, method, path, canaryText, "Content-Type: text/"+canaryHeader)
				}
				a.do(t, method, path, "", "Authorization: Bearer "+canaryToken)
			}
		}
	}
}

func TestSecretsAppearNowhere(t *testing.T) {
	t.Parallel()
	a := newAviary(t)
	account := `{"email":"` + canaryEmail + `","password":"` + canaryPassword + `"}`
	status, _ := a.do(t, http.MethodPost, "/auth/signup", account)
	require.Equal(t, http.StatusCreated, status)
	status, _ = a.do(t, http.MethodPost, "/auth/signup", account)
	require.Equal(t, http.StatusConflict, status)
	_, text := a.do(t, http.MethodPost, "/auth/login", account)
	var token struct {
		AccessToken string `json:"access_token"`
	}
	require.NoError(t, json.Unmarshal(text, &token))
	a.token = token.AccessToken
	_, text = a.do(t, http.MethodPost, "/tickets", `{"title":"`+canaryText+`","description":"`+canaryText+`"}`,
		"Idempotency-Key: first-"+canaryHeader)
	var ticket struct{ ID string }
	require.NoError(t, json.Unmarshal(text, &ticket))
	require.NotEmpty(t, ticket.ID)
	a.ticket = ticket.ID
	a.provokeUpstream(t)
	a.walk(t, regexp.MustCompile(`^/`))
	a.workAsStaff(t, account)
	a.sendGarbage(t)
	for range 6 {
		status, _ = a.do(t, http.MethodPost, "/auth/login", strings.ReplaceAll(account, canaryPassword, canaryPassword+"x"))
	}
	require.Equal(t, http.StatusTooManyRequests, status)

	// This statement times out, so PostgreSQL logs it.
	storetest.Lock(t, a.admin, "tickets")
	status, _ = a.do(t, http.MethodPost, "/tickets/"+a.ticket+"/messages", `{"content":"`+canaryText+`"}`,
		"Idempotency-Key: second-"+canaryHeader, "If-Match: *")
	require.Equal(t, http.StatusServiceUnavailable, status)
	metrics := a.metrics(t)
	postgres, err := os.ReadFile(filepath.Join(a.pg.Dir(), "server.log"))
	require.NoError(t, err)
	require.NoError(t, a.pg.Stop())
	status, _ = a.do(t, http.MethodGet, "/tickets", "")
	require.Equal(t, http.StatusServiceUnavailable, status)
	a.stop()

	require.Contains(t, string(postgres), "lock timeout", "PostgreSQL's log was not read")
	require.Contains(t, a.log.String(), `"level":"DEBUG"`)
	for where, output := range map[string]string{
		"the log": a.log.String(), "a problem": a.problems.String(), "PostgreSQL's log": string(postgres), "the metrics": metrics,
	} {
		for _, canary := range []string{
			"q7zx", "canary", strings.Split(a.token, ".")[2], strings.TrimPrefix(testSecret, "JWT_SECRET="),
		} {
			if i := strings.Index(output, canary); i >= 0 {
				require.Fail(t, "a secret is in "+where, "%s in: …%s…", canary, output[max(0, i-500):min(len(output), i+200)])
			}
		}
	}
	requireEvents(t, a.log.String())
}

// workAsStaff creates valid and invalid macros and prompts with a canary, uses them, and reads the event stream.
func (a *aviary) workAsStaff(t *testing.T, account string) {
	t.Helper()
	customer := a.token
	defer func() { a.token = customer }()
	storetest.Exec(t, a.admin, "UPDATE users SET role = 'admin'")
	_, text := a.do(t, http.MethodPost, "/auth/login", account)
	var token struct {
		AccessToken string `json:"access_token"`
	}
	require.NoError(t, json.Unmarshal(text, &token))
	a.token = token.AccessToken
	keys := 0
	create := func(path, body string, want int) string {
		t.Helper()
		keys++
		status, text := a.do(t, http.MethodPost, path, body, fmt.Sprintf("Idempotency-Key: staff-%d-%s", keys, canaryHeader), "If-Match: *")
		require.Equal(t, want, status, path)
		var made struct{ ID string }
		require.NoError(t, json.Unmarshal(text, &made))
		return made.ID
	}
	named := `{"name":"` + canaryText + `","content":"{{customer.name}} ` + canaryText + `"}`
	macro := create("/macros", named, http.StatusCreated)
	create("/macros", named, http.StatusConflict)
	create("/macros", `{"name":"x","content":"{{`+canaryText+`}}"}`, http.StatusUnprocessableEntity)
	other := create("/macros", `{"name":"`+canaryText+`x","content":"x"}`, http.StatusCreated)
	status, _ := a.do(t, http.MethodPut, "/macros/"+other, named, "If-Match: *")
	require.Equal(t, http.StatusConflict, status)
	create("/tickets/"+a.ticket+"/macros/"+macro+"/apply", "", http.StatusOK)
	a.do(t, http.MethodGet, "/macros?text="+canaryText, "")
	prompt := create("/prompts", `{"company":"`+canaryText+`","instructions":"`+canaryText+`"}`, http.StatusCreated)
	create("/prompts/"+prompt+"/publish", "", http.StatusOK)
	a.walk(t, regexp.MustCompile(`macros|prompts|redact`))

	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.address+"/events/stream?after=0", http.NoBody)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+a.token)
	request.Header.Set("Last-Event-ID", "0")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	for lines := bufio.NewScanner(response.Body); ; {
		require.True(t, lines.Scan(), "the events contain the messages")
		if strings.Contains(lines.Text(), canaryText) {
			return
		}
	}
}

// provokeUpstream makes the AI's upstream fail in several ways.
func (a *aviary) provokeUpstream(t *testing.T) {
	t.Helper()
	path := "/tickets/" + a.ticket + "/ai-response"
	for _, script := range []groqsim.Script{
		{Status: http.StatusUnauthorized}, {Status: http.StatusBadRequest}, {NoDone: true, FinishReason: canaryText}, {},
	} {
		require.NoError(t, a.sim.Enqueue(script))
		a.do(t, http.MethodGet, path, "", "Last-Event-ID: ")
	}
}

// sendGarbage sends invalid requests over a plain connection.
func (a *aviary) sendGarbage(t *testing.T) {
	t.Helper()
	huge := strings.Repeat("canary", 4<<20/6)
	for _, request := range []string{
		"GET /" + canaryText + "%0d%0a%1b[31m HTTP/1.1\r\nHost: x\r\nUser-Agent: " + canaryHeader + "\x1b[31m\r\n\r\n",
		"GET /tickets?x=" + canaryText + "\x1b[2J HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /nothing HTTP/1.1\r\nHost: " + canaryHeader + "\r\nX: " + canaryHeader + "\nforged: line\r\n\r\n",
		canaryText + " / HTTP/1.1\r\nHost: x\r\n\r\n",
		canaryText + "\r\n\r\n",
		"GET /" + huge + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: " + huge + "\r\n\r\n",
		"POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 4194326\r\n\r\n{\"email\":\"" + huge,
	} {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(a.address, "http://"))
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
		go func() { _, _ = io.WriteString(conn, request) }()
		answer := make([]byte, 12)
		_, err = io.ReadFull(conn, answer)
		require.NoError(t, err)
		require.Regexp(t, `^HTTP/1\.1 4\d\d`, string(answer))
		require.NoError(t, conn.Close())
	}
}

var debugPattern = regexp.MustCompile(`"msg":"serving metrics","addr":"([^"]+)"`)

func (a *aviary) metrics(t *testing.T) string {
	t.Helper()
	match := debugPattern.FindStringSubmatch(a.log.String())
	require.NotNil(t, match)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+match[1]+"/metrics", http.NoBody)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Contains(t, string(text), "support_db_connections_max 20\n")
	require.Contains(t, string(text), "support_ai_responses_running 0\n")
	return string(text)
}

// requireEvents checks that every log line is JSON, and that the line of a request has all its members.
func requireEvents(t *testing.T, log string) {
	t.Helper()
	requests := 0
	for line := range strings.Lines(log) {
		require.Less(t, len(line), 2048)
		require.NotContains(t, line, "\x1b")
		var event map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &event), line)
		at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(event["time"]))
		require.NoError(t, err)
		require.Equal(t, time.UTC, at.Location())
		require.NotEmpty(t, event["level"])
		require.NotEmpty(t, event["msg"])
		if event["msg"] != "request" {
			continue
		}
		requests++
		for _, name := range []string{"request_id", "method", "route", "status", "dur"} {
			require.Contains(t, event, name, line)
		}
		require.IsType(t, 0.0, event["dur"], line)
		if route := fmt.Sprint(event["route"]); strings.HasPrefix(route, "/tickets/") && event["status"] == float64(http.StatusOK) {
			require.Contains(t, route, "{ticket_id}")
			require.NotEmpty(t, event["user_id"])
		}
	}
	require.Greater(t, requests, 100)
}
