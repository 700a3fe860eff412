package npmtest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// maxResult bounds what a page may report, in bytes.
const maxResult = 16 << 20

// page runs the script that its address names, and reports the result.
const page = `<!doctype html>
<meta charset="utf-8">
<script type="importmap">{"imports":{"@supportbackend/support":"/node_modules/@supportbackend/support/dist/index.js"}}</script>
<script type="module">
const report = (path, result) => fetch(path, { method: 'POST', body: result });
try {
  const query = new URLSearchParams(location.search);
  const { default: run } = await import('/' + query.get('script'));
  await report('/result', JSON.stringify(await run(...JSON.parse(query.get('arguments')))));
} catch (error) {
  await report('/failure', error.stack ?? String(error));
}
</script>
`

// Browser is a headless browser, and the site whose pages it opens.
type Browser struct {
	// Origin is the origin of the pages.
	Origin string

	program string
	result  chan string
	failure chan string
}

// NewBrowser serves the project's files. Without Chromium or Chrome the test is skipped.
func (p Project) NewBrowser(t testing.TB) *Browser {
	t.Helper()
	b := &Browser{result: make(chan string, 1), failure: make(chan string, 1)}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if program, err := exec.LookPath(name); err == nil {
			b.program = program
			break
		}
	}
	if b.program == "" {
		t.Skip("needs Chromium or Chrome")
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServer(http.Dir(p.dir)))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page) })
	mux.HandleFunc("POST /result", receive(b.result))
	mux.HandleFunc("POST /failure", receive(b.failure))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	b.Origin = server.URL
	return b
}

// Run runs the script in a page, with the arguments, a JSON array, and returns its result as JSON.
func (b *Browser) Run(t testing.TB, script, arguments string) string {
	t.Helper()
	query := url.Values{"script": {script}, "arguments": {arguments}}
	ctx, cancel := context.WithCancel(t.Context())
	// Chromium's sandbox does not start as root. The pages are this repository's own.
	cmd := exec.CommandContext(ctx, b.program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--user-data-dir="+t.TempDir(), b.Origin+"/?"+query.Encode())
	endWithChildren(cmd)
	require.NoError(t, cmd.Start())
	defer func() {
		cancel()
		_ = cmd.Wait() // The error says that it was killed.
	}()
	select {
	case result := <-b.result:
		return result
	case failure := <-b.failure:
		require.Fail(t, "the script failed", failure)
	case <-time.After(timeout):
		require.Fail(t, "the script did not end")
	}
	return ""
}

func receive(into chan<- string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxResult))
		if err == nil {
			into <- string(body)
		}
	}
}
