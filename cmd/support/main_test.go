package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// runMain makes the test binary run as the program, so that tests can start it as a process.
const runMain = "SUPPORT_TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		_ = os.Unsetenv(runMain)
		main()
		return
	}
	storetest.Main(m, checkCommands)
}

// ran has the commands that tests have run, by path.
var ran sync.Map

// checkCommands checks that tests have run every command.
func checkCommands() error {
	commands := rootCommand().Commands()
	for len(commands) > 0 {
		c := commands[0]
		commands = append(commands[1:], c.Commands()...)
		if _, known := ran.Load(c.CommandPath()); !known && !c.HasSubCommands() {
			return errors.New("no test runs " + c.CommandPath())
		}
	}
	return nil
}

// patience is how long a program may run, so that a test fails whose program hangs.
const patience = 2 * time.Minute

// program returns a command that runs the program with its own environment.
func program(t *testing.T, environ []string, args ...string) *exec.Cmd {
	t.Helper()
	if c, _, err := rootCommand().Find(args); err == nil {
		ran.Store(c.CommandPath(), true)
	}
	self, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append([]string{
		runMain + "=1", "PATH=" + os.Getenv("PATH"), "PGBIN=" + os.Getenv("PGBIN"), "HOME=" + os.Getenv("HOME"),
	}, environ...)
	return cmd
}

// process is a running program. Its output is read line by line.
type process struct {
	cmd    *exec.Cmd
	stdout *bufio.Reader
	output strings.Builder
}

func start(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	// This pipe stays open: Wait would close the command's own while it is being read.
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr = writer, writer
	cmd.WaitDelay = time.Minute
	require.NoError(t, cmd.Start())
	require.NoError(t, writer.Close())
	p := &process{cmd: cmd, stdout: bufio.NewReader(reader)}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = reader.Close()
		if t.Failed() {
			t.Log(p.output.String())
		}
	})
	return p
}

// waitFor reads until a line contains the text.
func (p *process) waitFor(t *testing.T, text string) {
	t.Helper()
	for {
		line, err := p.stdout.ReadString('\n')
		p.output.WriteString(line)
		require.NoError(t, err, "the process ended before it said %q:\n%s", text, p.output.String())
		if strings.Contains(line, text) {
			return
		}
	}
}

// interrupt sends SIGINT and checks that the process exits with code 0.
func (p *process) interrupt(t *testing.T) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGINT))
	rest, err := io.ReadAll(p.stdout)
	p.output.Write(rest)
	require.NoError(t, err)
	require.NoError(t, p.cmd.Wait())
}

// run runs the program to its end and returns its exit code and output.
func run(t *testing.T, cmd *exec.Cmd) (int, string) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// A server notices a change of the schema within a second.
const (
	readyWithin = 30 * time.Second
	readyPoll   = 100 * time.Millisecond
)

func get(t *testing.T, url string) *http.Response {
	t.Helper()
	response, err := fetch(t, url)
	require.NoError(t, err)
	return response
}

// fetch sends a GET and reads the whole response.
func fetch(t *testing.T, url string) (*http.Response, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return response, errors.Join(err, response.Body.Close())
}

// openStream signs a customer up, opens a ticket, and returns the stream of its answer, which has started.
func openStream(t *testing.T, address string) *http.Response {
	t.Helper()
	c, err := plain.NewClientWithResponses(address)
	require.NoError(t, err)
	const email, password = "ada@example.com", "correct horse battery"
	created, err := c.SignUpWithResponse(t.Context(), nil, client.SignUpRequest{Email: email, Password: password})
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, created.StatusCode(), "%s", created.Body)
	token, err := c.LogInWithResponse(t.Context(), nil, client.LogInRequest{Email: email, Password: password})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, token.StatusCode(), "%s", token.Body)
	authorize := func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+token.JSON200.AccessToken)
		return nil
	}
	ticket, err := c.CreateTicketWithResponse(t.Context(), nil, client.CreateTicketRequest{Title: "t", Description: "d"}, authorize)
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, ticket.StatusCode(), "%s", ticket.Body)
	response, err := c.StreamAIResponse(t.Context(), ticket.JSON201.ID, nil, authorize)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	require.Equal(t, http.StatusOK, response.StatusCode)
	return response
}

func readAll(t *testing.T, response *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(text)
}
