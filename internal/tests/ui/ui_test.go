//go:build ui && linux

// Package ui runs chat clients from npm against running servers: three major versions of the AI SDK, AG-UI, and the
// example page in a browser. It needs Node and npm, and Chromium for the page.
package ui

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/groqtest"
	"github.com/supportbackend/support/internal/testing/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

const password = "correct horse battery"

// desk is an installation: three replicas, of which the scripts may kill the last one, and the simulator.
type desk struct {
	t         *testing.T
	database  string
	simulator *groqsim.Simulator
	replicas  []*exec.Cmd
	// The scripts read these fields.
	Servers  []string `json:"servers"`
	Control  string   `json:"control"`
	Page     string   `json:"page"`
	Customer string   `json:"customer"`
	Agent    string   `json:"agent"`
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, database: storetest.NewURL(t), simulator: groqsim.New(groqsim.Options{})}
	upstream := groqtest.Serve(t, d.simulator)
	site := httptest.NewServer(http.FileServer(http.Dir(buildPage(t))))
	t.Cleanup(site.Close)
	d.Page = strings.Replace(site.URL, "127.0.0.1", "localhost", 1)
	program := filepath.Join(t.TempDir(), "support")
	run(t, "../../..", "go", "build", "-buildvcs=false", "-o", program, "./cmd/support")
	for range 3 {
		d.start(program, upstream)
	}
	control := httptest.NewServer(d.controls())
	t.Cleanup(control.Close)
	d.Control = control.URL
	d.Customer, d.Agent = d.account("user"), d.account("agent")
	return d
}

// run runs a program and fails the test unless it succeeds.
func run(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
}

// buildPage installs the packages, builds the example page, and returns its directory.
func buildPage(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat("node_modules"); err != nil {
		run(t, ".", "npm", "ci", "--no-progress", "--loglevel=error")
	}
	out := t.TempDir()
	run(t, ".", "node_modules/.bin/vite", "build", "page", "--logLevel=warn", "--outDir", out)
	return out
}

var servingPattern = regexp.MustCompile(`"msg":"serving","addr":"([^"]+)"`)

// start starts a replica, which ends with the test.
func (d *desk) start(program, upstream string) {
	d.t.Helper()
	cmd := exec.CommandContext(d.t.Context(), program, "serve")
	cmd.Env = []string{
		"DATABASE_URL=" + d.database, "GROQ_API_KEY=simulated", "GROQ_API_URL=" + upstream, "SUPPORT_ADDR=127.0.0.1:0",
		"JWT_SECRET=0123456789abcdef0123456789abcdef", "EXPIRE_MINUTES=60", "ALLOWED_ORIGINS=" + d.Page,
		// All load comes from one address and two accounts.
		"SUPPORT_RATE_LIMIT=0", "SUPPORT_SIGNUP_LIMIT=0", "SUPPORT_AI_RUNNING=0", "SUPPORT_AI_PER_MINUTE=0", "SUPPORT_AI_PER_DAY=0",
		"SUPPORT_STREAMS_PER_ACCOUNT=1000",
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	output, err := cmd.StderrPipe()
	require.NoError(d.t, err)
	require.NoError(d.t, cmd.Start())
	d.t.Cleanup(func() { _ = cmd.Process.Kill() })
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		if match := servingPattern.FindStringSubmatch(lines.Text()); match != nil {
			d.Servers, d.replicas = append(d.Servers, "http://"+match[1]), append(d.replicas, cmd)
			go func() { _, _ = io.Copy(io.Discard, output) }()
			return
		}
	}
	require.Fail(d.t, "the server did not start")
}

// controls lets the scripts do what no client can.
func (d *desk) controls() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /scripts", func(w http.ResponseWriter, r *http.Request) {
		var script groqsim.Script
		err := json.NewDecoder(r.Body).Decode(&script)
		if err == nil {
			err = d.simulator.Enqueue(script)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /release/{gate}", func(w http.ResponseWriter, r *http.Request) {
		d.simulator.Release(r.PathValue("gate"))
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /expire/{ticket}", func(w http.ResponseWriter, r *http.Request) {
		storetest.Exec(d.t, d.database, `
			UPDATE ai_responses SET owner_id = gen_random_uuid(), lease_expires_at = now() - interval '1 minute'
			WHERE ticket_id = $1 AND status = 'streaming'`, uuid.MustParse(r.PathValue("ticket")))
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /kill/{replica}", func(w http.ResponseWriter, r *http.Request) {
		i, err := strconv.Atoi(r.PathValue("replica"))
		if err != nil || i >= len(d.replicas) || d.replicas[i].Process.Kill() != nil {
			http.Error(w, "there is no such replica", http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /requests/{match}", func(w http.ResponseWriter, r *http.Request) {
		ends := []groqsim.End{}
		for _, record := range d.simulator.Requests() {
			if record.Script.Match == r.PathValue("match") {
				ends = append(ends, record.End)
			}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"ends": ends})
	})
	return mux
}

// account creates an account and returns an access token for it.
func (d *desk) account(role string) string {
	d.t.Helper()
	body := `{"email":"` + uuid.NewString() + `@example.com","password":"` + password + `"}`
	var user struct{ ID uuid.UUID }
	d.call(d.t, http.MethodPost, "/auth/signup", body, &user)
	storetest.Exec(d.t, d.database, "UPDATE users SET role = $2::user_role WHERE id = $1", user.ID, role)
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	d.call(d.t, http.MethodPost, "/auth/login", body, &tokens)
	return tokens.AccessToken
}

// send sends a request, as the customer once there is one.
func (d *desk) send(t *testing.T, method, path, body string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, d.Servers[0]+path, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	if d.Customer != "" {
		request.Header.Set("Authorization", "Bearer "+d.Customer)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	return response
}

// call sends a request and decodes the response.
func (d *desk) call(t *testing.T, method, path, body string, result any) {
	t.Helper()
	response := d.send(t, method, path, body)
	defer func() { _ = response.Body.Close() }()
	require.Less(t, response.StatusCode, 300)
	require.NoError(t, json.NewDecoder(response.Body).Decode(result))
}

func TestClients(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	handedOver, err := json.Marshal(d)
	require.NoError(t, err)
	scripts, err := filepath.Glob("node/*.test.mjs")
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "node", append([]string{"--test", "--test-reporter=spec"}, scripts...)...)
	cmd.Env = append(os.Environ(), "UI_TEST="+string(handedOver))
	output, err := cmd.CombinedOutput()
	t.Logf("%s", output)
	require.NoError(t, err)
}
