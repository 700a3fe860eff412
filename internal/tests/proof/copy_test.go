//go:build proof

package proof_test

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

const guideFile = "../../httpapi/docs/guides/7-your-own-copy.md"

// The guide's program keeps a copy with every event exactly once, however often it or the server is killed.
func TestGuideCopyHasEveryEventOnce(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile(guideFile)
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(guide), "```go\n")
	source, _, found := strings.Cut(rest, "```")
	require.True(t, found)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o600))
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "copy"), filepath.Join(dir, "main.go"))
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)

	s := desk.New(t, desk.Options{NoAI: true})
	admin, ada := s.Staff(t, sqlc.UserRoleAdmin), s.Customer(t)
	server := startReplica(t, s.DatabaseURL, replicaOptions{})
	run := func() *exec.Cmd {
		program := exec.CommandContext(t.Context(), filepath.Join(dir, "copy"))
		program.Dir = dir
		program.Env = append(os.Environ(), "SUPPORT_BASE_URL="+server.address, "SUPPORT_TOKEN="+admin.Token)
		require.NoError(t, program.Start())
		return program
	}
	program := run()
	for n := range 10 {
		for range 5 {
			ada.NewTicket(t)
		}
		<-time.After(rand.N(100 * time.Millisecond))
		if n%3 == 2 {
			server.kill()
			server = startReplica(t, s.DatabaseURL, replicaOptions{addr: strings.TrimPrefix(server.address, "http://")})
			continue // The program retries by itself.
		}
		require.NoError(t, program.Process.Kill())
		_ = program.Wait() // The error says that it was killed.
		program = run()
	}
	head := storetest.QueryInt(t, s.DatabaseURL, "SELECT (SELECT position FROM journal_head) + (SELECT count(*) FROM journal_outbox)")
	require.Eventually(t, func() bool { return len(readCopy(t, dir)) >= head }, 2*time.Minute, 20*time.Millisecond)
	require.NoError(t, program.Process.Kill())
	_ = program.Wait() // The error says that it was killed.
	for i, e := range readCopy(t, dir) {
		require.EqualValues(t, i+1, e.Position)
	}
}

// readCopy returns the events of the complete lines.
func readCopy(t *testing.T, dir string) (events []client.DeskEvent) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "copy.ndjson"))
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		var e client.DeskEvent
		if strings.HasSuffix(line, "\n") {
			require.NoError(t, json.Unmarshal([]byte(line), &e))
			events = append(events, e)
		}
	}
	return events
}
