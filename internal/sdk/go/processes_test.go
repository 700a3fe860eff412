//go:build unix

package client_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
)

const (
	processes = 3
	workers   = 4
	calls     = 50
	// usesOfAToken is the number of requests that an access token lasts.
	usesOfAToken = 100
)

// strict is a server that ends a session whose refresh token is used twice.
type strict struct {
	mu              sync.Mutex
	number, uses    int
	refreshes, lost int
}

func (s *strict) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path == "/auth/refresh" {
		var body client.RefreshRequest
		if json.NewDecoder(r.Body).Decode(&body) != nil || body.RefreshToken != s.tokens().RefreshToken {
			s.lost++
			refuse(w, client.ProblemCodeTokenReuse)
			return
		}
		s.number, s.uses = s.number+1, 0
		s.refreshes++
		_ = json.NewEncoder(w).Encode(s.tokens())
		return
	}
	s.uses++
	if s.uses > usesOfAToken || r.Header.Get("Authorization") != "Bearer "+s.tokens().AccessToken {
		refuse(w, client.ProblemCodeInvalidToken)
		return
	}
	_, _ = w.Write([]byte("{}"))
}

func (s *strict) tokens() client.AccessToken {
	return client.AccessToken{AccessToken: fmt.Sprintf("access-%d", s.number), RefreshToken: fmt.Sprintf("srt_%d", s.number)}
}

func refuse(w http.ResponseWriter, code client.ProblemCode) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusUnauthorized)
	_ = json.NewEncoder(w).Encode(map[string]any{"code": code})
}

// TestProcessesShareASession runs several processes with two SDKs each on one session whose access tokens expire
// constantly.
func TestProcessesShareASession(t *testing.T) {
	t.Parallel()
	if file := os.Getenv("SUPPORT_SESSION_FILE"); file != "" {
		useSession(t, sessionFile(file))
		return
	}
	server := &strict{}
	listening := httptest.NewServer(server)
	defer listening.Close()
	file := sessionFile(filepath.Join(t.TempDir(), "session.json"))
	require.NoError(t, file.Update(t.Context(), func(client.AccessToken) (client.AccessToken, error) {
		return server.tokens(), nil
	}))

	var group sync.WaitGroup
	outputs, failures := [processes][]byte{}, [processes]error{}
	for i := range processes {
		group.Go(func() {
			process := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProcessesShareASession$", "-test.count=1")
			process.Env = append(os.Environ(), "SUPPORT_SESSION_FILE="+string(file), "SUPPORT_BASE_URL="+listening.URL)
			outputs[i], failures[i] = process.CombinedOutput()
		})
	}
	group.Wait()
	for i, err := range failures {
		require.NoError(t, err, "%s", outputs[i])
	}
	require.Zero(t, server.lost, "the session was lost")
	require.GreaterOrEqual(t, server.refreshes, processes*2*workers*calls/usesOfAToken-1)
}

func useSession(t *testing.T, file sessionFile) {
	t.Helper()
	var group sync.WaitGroup
	for range 2 {
		support, err := client.New(client.WithSessionStore(file))
		require.NoError(t, err)
		for range workers {
			group.Go(func() {
				for range calls {
					// On a busy machine, a request's token may expire before it is sent, and so may the next one.
					if _, err := support.GetMe(t.Context()); err != nil && !client.IsProblem(err, client.ProblemCodeInvalidToken) {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	group.Wait()
}
