package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/groqsim"
	"github.com/supportbackend/support/internal/httpapi"
	"github.com/supportbackend/support/internal/httpapi/apitest"
)

func TestMetricsCountRequestsByOperation(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	debug := d.API.DebugServer(httpapi.Gauge{Name: "support_example", Help: "An example.", Read: func() float64 { return 4.5 }}).Handler
	for range 3 {
		d.customer.Do(t, http.MethodGet, "/tickets/"+d.ticket.ID.String(), "")
	}
	d.Do(t, http.MethodGet, "/tickets?x="+canary, "")
	d.Do(t, http.MethodGet, "/"+canary, "")
	require.NoError(t, d.Simulator.Enqueue(groqsim.Script{Gates: []groqsim.Gate{{Name: "held", After: 1}}}))
	stream := d.customer.Stream(t, d.ticket.ID)

	r := ask(t, debug, http.MethodGet, "/metrics")
	require.Equal(t, http.StatusOK, r.Status)
	require.Equal(t, "text/plain; version=0.0.4; charset=utf-8", r.Header.Get("Content-Type"))
	text := string(r.Body)
	for _, line := range []string{
		"support_example 4.5\n",
		`support_http_requests_total{operation="getTicket",status="2xx"} 3` + "\n",
		`support_http_requests_total{operation="listTickets",status="4xx"} 1` + "\n",
		`support_http_requests_total{operation="none",status="4xx"} 1` + "\n",
		`support_http_requests_running{operation="streamAIResponse"} 1` + "\n",
		"# TYPE support_goroutines gauge\n",
	} {
		require.Contains(t, text, line)
	}
	require.NotContains(t, text, canary)
	require.Regexp(t, `^(# (HELP|TYPE) support_[a-z_]+ .+\n|support_[a-z_]+(\{[a-z]+="[A-Za-z0-9]+"(,[a-z]+="[1-5]xx")?\})? [0-9.e+-]+\n)+$`, text)
	d.Simulator.Release("held")
	stream.ReadAll()
	require.Equal(t, http.StatusOK, ask(t, debug, http.MethodGet, "/debug/pprof/goroutine?debug=1").Status)
}

func TestMetricsAndProfilesAreNotOnTheAPIsOwnAddress(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	for _, path := range []string{"/metrics", "/debug", "/debug/pprof/", "/debug/pprof/heap", "/debug/vars", "/debug/pprof/cmdline"} {
		require.Equal(t, http.StatusNotFound, s.Do(t, http.MethodGet, path, "").Status, path)
	}
}
