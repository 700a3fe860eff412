package docs_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/httpapi/docs"
)

func TestEachProblemHasAPage(t *testing.T) {
	t.Parallel()
	site := newSite(t)
	page := string(read(t, get(t, site, http.MethodGet, "/problems/lost").Body))
	for _, want := range []string{
		"<title>Lost &lt;i&gt; – Desk &lt;b&gt;</title>", "<h1>Lost &lt;i&gt;</h1>", "<code>lost</code>", "404 Not Found", "<h2>Example</h2>", "&#34;type&#34;: &#34;/problems/lost&#34;,",
		"<p>It is *lost* &amp; &lt;b&gt;gone&lt;/b&gt;.</p>", "<p>Look for <code>&lt;it&gt;</code> again.</p>", "Not as it is",
		`<a href="../problems" aria-current="page">Errors</a>`,
	} {
		require.Contains(t, page, want)
	}
	require.NotContains(t, page, "<script")
	again := string(read(t, get(t, site, http.MethodGet, "/problems/too_late").Body))
	require.Contains(t, again, "503 Service Unavailable")
	require.Contains(t, again, "Yes, as it is")
}

func TestProblemListFollowsTheContract(t *testing.T) {
	t.Parallel()
	list := string(read(t, get(t, newSite(t), http.MethodGet, "/problems").Body))
	at := 0
	for _, next := range []string{
		"<h2>Things</h2>", `<a href="problems/lost"><code>lost</code></a>`, ">404<", "It is *lost* &amp; &lt;b&gt;gone",
		"<h2>Times</h2>", `<a href="problems/too_late"><code>too_late</code></a>`, ">503<", "It came late.",
	} {
		found := strings.Index(list[at:], next)
		require.GreaterOrEqual(t, found, 0, next)
		at += found
	}
	require.NotContains(t, list, "<script")
	require.NotContains(t, list, "Beside it", "a heading without a problem")
}

func TestContractExplainsEachProblemOnceAndNoOther(t *testing.T) {
	t.Parallel()
	both := []docs.Problem{lost, late}
	for name, c := range map[string]struct {
		description string
		problems    []docs.Problem
		want        string
	}{
		"no text":          {errors, both, `does not explain the problem "too_late"`},
		"no description":   {"", both, "does not explain"},
		"no problem":       {errors + times, []docs.Problem{lost}, `"too_late" does not match`},
		"two texts":        {errors + times + lateItem, both, `"too_late" does not match`},
		"another status":   {errors + strings.Replace(times, "503", "500", 1), both, `"too_late" does not match`},
		"another page":     {errors + strings.Replace(times, "s/too_late", "s/late", 1), both, `"too_late" does not match`},
		"no advice":        {errors + strings.Replace(times, "  *Be early.*\n", "", 1), both, `does not explain the problem "too_late"`},
		"an empty meaning": {errors + strings.Replace(times, " It came late.", "", 1), both, `does not explain the problem "too_late"`},
		"no heading":       {lostItem + times, both, `"lost" does not match`},
		"a missing link":   {errors + strings.Replace(times, "(problems/too_late)", "", 1), both, "does not explain"},
	} {
		_, err := docs.New(contractWith(c.description), c.problems)
		require.ErrorContains(t, err, c.want, name)
	}
}
