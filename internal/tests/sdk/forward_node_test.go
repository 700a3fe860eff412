//go:build node

package sdktest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/tests/sdk/npmtest"
)

// writeForwarder writes the route handler of the React guide into a program that sends it two requests.
func writeForwarder(t *testing.T, project npmtest.Project) {
	t.Helper()
	guide, err := os.ReadFile("../../httpapi/docs/guides/5-react.md")
	require.NoError(t, err)
	_, handler, found := strings.Cut(string(guide), "```ts\n")
	require.True(t, found)
	handler, _, _ = strings.Cut(handler, "```")
	project.Write(t, "forwarder.mts", `
const customerOf = async (_: Request) => 'customer-4711';
`+handler+`
for (const [method, path, body] of [['POST', 'v7/chat', '{"id":"1"}'], ['GET', 'v7/chat/1/stream', null]] as const) {
  const request = new Request('https://shop.example.com/support/ui/' + path, { method, body });
  const response = await forward(request, { params: Promise.resolve({ path: path.split('/') }) });
  console.log(response.status, response.headers.get('X-Vercel-AI-UI-Message-Stream'), await response.text());
}
`)
}

// forwardsAsTheGuideDoes runs the guide's route handler between a page and a server.
func forwardsAsTheGuideDoes(t *testing.T, project npmtest.Project) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Vercel-Ai-Ui-Message-Stream", "v1")
		_, _ = io.WriteString(w, strings.Join([]string{
			r.URL.Path, r.Header.Get("Authorization"), r.Header.Get("X-On-Behalf-Of"), string(body),
		}, " "))
	}))
	defer server.Close()
	env := []string{"SUPPORT_BASE_URL=" + server.URL, "SUPPORT_KEY=sk_key"}
	require.Equal(t, "200 v1 /ui/v7/chat Bearer sk_key customer-4711 {\"id\":\"1\"}\n204 null \n",
		project.Node(t, env, "forwarder.mjs"))
}
