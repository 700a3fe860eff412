package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/testing/storetest"
)

// occupied returns an address that is in use.
func occupied(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	listener, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().String()
}

// vacant is an address where nobody listens: free ports of the system's choice go to other tests.
const vacant = "127.0.0.1:1"

func TestMisuseNamesTheNextStep(t *testing.T) {
	t.Parallel()
	migrated, empty := "DATABASE_URL="+storetest.NewURL(t), "DATABASE_URL="+storetest.NewEmptyURL(t)
	refused := "DATABASE_URL=postgres://user:canary@" + vacant + "/support"
	taken, file := occupied(t), filepath.Join(openDir(t), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	unreadable := openDir(t)
	require.NoError(t, os.WriteFile(filepath.Join(unreadable, ".env"), []byte("JWT_SECRET=canary\nno assignment canary\n"), 0o600))
	misspelt := openDir(t)
	require.NoError(t, os.WriteFile(filepath.Join(misspelt, ".env"), []byte("GROQ_KEY=canary\n"), 0o600))

	for name, c := range map[string]struct {
		args    string
		environ []string
		dir     string // the working directory
		code    int
		want    []string
	}{
		"unknown command":     {args: "frobnicate", code: exitSettings, want: []string{`unknown command "frobnicate"`, `"support --help"`}},
		"misspelt command":    {args: "serv", code: exitSettings, want: []string{`unknown command "serv"`, "serve", `"support --help"`}},
		"unknown subcommand":  {args: "migrate sideways", code: exitSettings, want: []string{`unknown command "sideways"`, `"support migrate --help"`}},
		"unknown flag":        {args: "serve --port 80", code: exitSettings, want: []string{"unknown flag: --port", `"support serve --help"`}},
		"unknown global flag": {args: "--verbose", code: exitSettings, want: []string{"unknown flag: --verbose", `"support --help"`}},
		"extra argument":      {args: "serve now", code: exitSettings, want: []string{`"now"`, `"support serve --help"`}},
		"missing argument":    {args: "migrate goto", code: exitSettings, want: []string{"VERSION", `"support migrate goto --help"`}},
		"missing flag":        {args: "admin create", code: exitSettings, want: []string{"email", `"support admin create --help"`}},
		"wrong role":          {args: "admin create --email a@example.com --role user", code: exitSettings, want: []string{"--role", "admin or agent"}},
		"flags that exclude":  {args: "dev --ephemeral --data-dir x", code: exitSettings, want: []string{"--ephemeral", "--data-dir", `"support dev --help"`}},

		"no settings": {args: "serve", code: exitSettings, want: []string{"DATABASE_URL is not set", "JWT_SECRET is not set", ".env.example", `"support dev"`}},
		"wrong setting": {
			args: "doctor", environ: []string{"SUPPORT_RATE_LIMIT=canary"}, code: exitSettings, want: []string{"SUPPORT_RATE_LIMIT", "from 0 to 100000"},
		},
		".env is not readable": {args: "dev", dir: unreadable, code: exitSettings, want: []string{".env", "NAME=value"}},
		"typing error in .env": {args: "dev", dir: misspelt, code: exitSettings, want: []string{"GROQ_KEY is not a setting"}},

		"port of dev is taken": {args: "dev --addr " + taken, code: exitFailure, want: []string{taken, "already in use", "--addr", "--ephemeral"}},
		"port of serve is taken": {
			args: "serve", environ: []string{migrated, testSecret, "SUPPORT_ADDR=" + taken}, code: exitFailure, want: []string{taken, "already in use", "SUPPORT_ADDR"},
		},
		"port of metrics is taken": {
			args: "serve", environ: []string{migrated, testSecret, "SUPPORT_ADDR=127.0.0.1:0", "SUPPORT_DEBUG_ADDR=" + taken}, code: exitFailure,
			want: []string{taken, "already in use", "SUPPORT_DEBUG_ADDR"},
		},
		"address of another machine": {args: "dev --addr 192.0.2.1:8000", code: exitFailure, want: []string{"192.0.2.1:8000", "not an address of this machine", "--addr"}},
		"unknown host":               {args: "dev --addr nowhere.invalid:8000", code: exitFailure, want: []string{"nowhere.invalid:8000", "--addr"}},
		"address without a port":     {args: "dev --addr localhost", code: exitSettings, want: []string{"--addr", "host:port"}},
		"port out of range":          {args: "dev --addr localhost:80000", code: exitSettings, want: []string{"--addr", "host:port"}},
		"data folder is a file":      {args: "dev --addr 127.0.0.1:0 --data-dir " + file, code: exitFailure, want: []string{file, "--data-dir", "--ephemeral"}},
		"data folder not writable":   {args: "dev --addr 127.0.0.1:0 --data-dir /proc/nothing", code: exitFailure, want: []string{"/proc/nothing", "--data-dir", "--ephemeral"}},

		"database refuses": {args: "migrate up", environ: []string{refused}, code: exitFailure, want: []string{"connection refused", "Check the host and port"}},
		"dev's database refuses": {
			args: "dev --addr 127.0.0.1:0", environ: []string{refused}, code: exitFailure, want: []string{"connection refused", "Check the host and port"},
		},
		"no schema": {
			args: "admin create --email a@example.com", environ: []string{empty}, code: exitFailure, want: []string{"no schema", "support migrate up"},
		},
		"version that is not there": {args: "migrate goto 99", environ: []string{migrated}, code: exitSettings, want: []string{"no version 99", fmt.Sprint("latest is ", latest(t))}},
		"force what is not there":   {args: "migrate force 99", environ: []string{migrated}, code: exitSettings, want: []string{"no version 99", fmt.Sprint("latest is ", latest(t))}},
		"down below the first":      {args: "migrate down 99", environ: []string{migrated}, code: exitSettings, want: []string{fmt.Sprint(latest(t), " version(s)"), "migrate goto 0"}},
		"version as a word":         {args: "migrate goto latest", environ: []string{migrated}, code: exitSettings, want: []string{"a version is a number"}},

		"no server on an interface": {
			args: "healthcheck", environ: []string{"SUPPORT_ADDR=[::1%lo]:1"}, code: exitFailure, want: []string{"no server", "SUPPORT_ADDR"},
		},
		"no server": {args: "healthcheck", environ: []string{"SUPPORT_ADDR=" + vacant}, code: exitFailure, want: []string{"no server", "SUPPORT_ADDR"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := program(t, append([]string{"HOME=" + openDir(t)}, c.environ...), strings.Fields(c.args)...)
			cmd.Dir = c.dir
			code, out := run(t, cmd)
			require.Equal(t, c.code, code, out)
			for _, want := range c.want {
				require.Contains(t, out, want)
			}
			require.NotContains(t, out, "canary")
			require.NotContains(t, out, "goroutine")
		})
	}
	require.Equal(t, fmt.Sprint(latest(t)), storetest.QueryText(t, strings.TrimPrefix(migrated, "DATABASE_URL="), "SELECT version::text FROM schema_migrations"),
		"wrong use changes nothing")
}

func TestSecondDevOnTheSameDataSaysSo(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	first := start(t, program(t, nil, "dev", "--addr", "127.0.0.1:0", "--data-dir", dir))
	first.waitFor(t, "Ctrl-C stops everything.")
	code, out := run(t, program(t, nil, "dev", "--addr", "127.0.0.1:0", "--data-dir", dir))
	require.Equal(t, exitFailure, code, out)
	for _, want := range []string{dir, "already in use by process", "--data-dir", "--ephemeral"} {
		require.Contains(t, out, want)
	}

	// Another build's database, whose schema does not fit.
	database := regexp.MustCompile(`postgres://\S+`).FindString(first.output.String())
	storetest.Exec(t, database, "UPDATE schema_migrations SET version = version - 1")
	first.interrupt(t)
	code, out = run(t, program(t, nil, "dev", "--addr", "127.0.0.1:0", "--data-dir", dir))
	require.Equal(t, exitFailure, code, out)
	for _, want := range []string{"migration", dir, "--data-dir", "--ephemeral"} {
		require.Contains(t, out, want)
	}
}
