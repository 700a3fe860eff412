package api_test

import (
	"mime"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/contracttest"
	"github.com/supportbackend/support/internal/testing/desk"
)

// requireSecure checks the headers of every response.
func requireSecure(t *testing.T, r apitest.Response, what string) {
	t.Helper()
	caching := "no-store"
	if mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); mediaType == "text/event-stream" || mediaType == "application/x-ndjson" {
		caching = "no-store, no-transform"
		require.Equal(t, "no", r.Header.Get("X-Accel-Buffering"), what)
		require.Empty(t, r.Header.Get("Content-Encoding"), what)
	}
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Cache-Control": caching, "Referrer-Policy": "no-referrer",
		"X-Frame-Options": "DENY", "Cross-Origin-Resource-Policy": "same-origin",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
	} {
		require.Equal(t, []string{want}, r.Header.Values(name), "%s of %s", name, what)
	}
	require.Regexp(t, `^[A-Za-z0-9-]{8,64}$`, r.Header.Get("X-Request-Id"))
	require.Contains(t, r.Header.Values("Vary"), "Origin", what)
	for _, name := range []string{"Server", "X-Powered-By", "Set-Cookie"} {
		require.Empty(t, r.Header.Values(name), what)
	}
}

func TestEveryResponseHasTheSecurityHeaders(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	stream := d.owner.Stream(t, d.ticket.ID)
	stream.ReadAll()
	requireSecure(t, apitest.Response{Header: stream.Response.Header}, "a stream")
	for _, c := range d.calls(t) {
		requireSecure(t, d.Do(t, c.method, c.path, c.body, jsonType), c.OperationID+" by nobody")
		if c.OperationID == "streamAIResponse" {
			continue
		}
		requireSecure(t, d.do(t, c, c.body, jsonType), c.OperationID)
		requireSecure(t, d.do(t, c, "{", "Content-Type: text/plain"), c.OperationID+" with another media type")
		requireSecure(t, d.do(t, c, "{", jsonType, "Accept: image/png"), c.OperationID+", unacceptable")
		asked := c
		asked.path += "?unknown=1"
		requireSecure(t, d.do(t, asked, c.body, jsonType), c.OperationID+" with an unknown parameter")
		requireSecure(t, d.Do(t, http.MethodPut, c.path, ""), "another method than "+c.OperationID)
		requireSecure(t, uncheckedDo(t, http.MethodOptions, d.URL+c.path), "the options of "+c.OperationID)
	}
	for _, path := range []string{"/nothing", "/tickets/", "/tickets/" + uuid.NewString() + "/x", "/favicon.ico"} {
		requireSecure(t, d.owner.Do(t, http.MethodGet, path, ""), path)
	}
}

func TestOnlyAllowedOriginsMayReadResponses(t *testing.T) {
	t.Parallel()
	allowed := []string{"https://desk.example.com", "http://localhost:3000"}
	s := desk.New(t, desk.Options{AllowedOrigins: allowed})
	for _, origin := range []string{
		"https://desk.example.com", "http://localhost:3000",
		"https://evil.example", "null", "http://desk.example.com", "https://desk.example.com:443", "https://desk.example.com:8443",
		"https://DESK.example.com", "HTTPS://desk.example.com", "https://desk.example.com.evil", "https://desk.example.com/",
		"https://evil.desk.example.com", "https://xdesk.example.com", "https://example.com", "https://desk.example.com, null",
		"http://localhost", "http://localhost:30000", "http://127.0.0.1:3000", "*", "", "file://", "https://desk.example.com ",
		"https://user@desk.example.com", "https://desk.example.com\t",
	} {
		mayRead := slices.Contains(allowed, strings.TrimSpace(origin)) // net/http trims header values.
		var header []string
		if origin != "" {
			header = []string{"Origin: " + origin}
		}
		for _, path := range []string{"/livez", "/me", "/nothing", "/docs", "/openapi.json"} {
			r := s.Do(t, http.MethodGet, path, "", header...)
			require.Contains(t, r.Header.Values("Vary"), "Origin", path)
			require.Empty(t, r.Header.Get("Access-Control-Allow-Credentials"))
			if !mayRead {
				require.Empty(t, r.Header.Values("Access-Control-Allow-Origin"), "%q may read %s", origin, path)
				require.Empty(t, r.Header.Values("Access-Control-Expose-Headers"))
				continue
			}
			require.Equal(t, []string{strings.TrimSpace(origin)}, r.Header.Values("Access-Control-Allow-Origin"))
			exposed := r.Header.Get("Access-Control-Expose-Headers")
			for _, name := range []string{
				"Link", "Location", "Retry-After", "WWW-Authenticate", "X-Request-Id", "Allow", "ETag", "RateLimit",
				"RateLimit-Policy", "Idempotency-Replayed",
			} {
				require.Contains(t, exposed, name)
			}
			require.NotContains(t, exposed, "*")
		}
	}
}

func TestPreflightListsMethodsAndHeadersOfTheContract(t *testing.T) {
	t.Parallel()
	const origin = "https://desk.example.com"
	s := desk.New(t, desk.Options{AllowedOrigins: []string{origin}})
	var methods []string
	for _, item := range contracttest.Spec(t).Paths.Map() {
		for method := range item.Operations() {
			methods = append(methods, method)
		}
	}
	slices.Sort(methods)
	ask := []string{"Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization, x-" + canary}
	r := s.Do(t, http.MethodOptions, "/tickets", "", append(ask, "Origin: "+origin)...)
	require.Equal(t, http.StatusNoContent, r.Status)
	require.Equal(t, origin, r.Header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "600", r.Header.Get("Access-Control-Max-Age"))
	require.Empty(t, r.Header.Get("Access-Control-Allow-Credentials"))
	require.ElementsMatch(t, append(slices.Compact(methods), http.MethodHead),
		strings.Split(r.Header.Get("Access-Control-Allow-Methods"), ","))
	headers := strings.Split(r.Header.Get("Access-Control-Allow-Headers"), ",")
	for _, o := range specOperations(t) {
		for _, parameter := range o.Parameters {
			if parameter.Value.In == openapi3.ParameterInHeader {
				require.Contains(t, headers, parameter.Value.Name, o.OperationID)
			}
		}
	}
	require.ElementsMatch(t, headers, []string{
		"Accept", "Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "Last-Event-ID",
		"X-On-Behalf-Of", "X-Request-Id",
		"baggage", "Cache-Control", "sentry-trace", "traceparent", "tracestate", "X-Requested-With",
	})
	require.NotContains(t, encode(t, r.Header), "*")
	require.NotContains(t, encode(t, r.Header), canary)
	requireSecure(t, r, "a preflight")

	for _, other := range []string{"https://evil.example", "null", "http://desk.example.com"} {
		r := uncheckedDo(t, http.MethodOptions, s.URL+"/tickets", append(ask, "Origin: "+other)...)
		require.Equal(t, http.StatusNoContent, r.Status)
		for name := range r.Header {
			require.NotContains(t, name, "Access-Control-", other)
		}
	}
}

func TestStrictTransportSecurityOverTLSOnly(t *testing.T) {
	t.Parallel()
	const year = "max-age=31536000"
	behind := desk.New(t, desk.Options{TrustedProxies: networks(t, "127.0.0.0/8")})
	direct := desk.New(t, desk.Options{TrustedProxies: networks(t, "10.0.0.0/8")})
	for _, path := range []string{"/livez", "/me", "/nothing", "/docs", "/openapi.json"} {
		for said, want := range map[string]string{
			"https": year, "HTTPS": year, "http, https": year, "http": "", "https, http": "", "": "", "httpss": "",
		} {
			r := behind.Do(t, http.MethodGet, path, "", "X-Forwarded-Proto: "+said)
			require.Equal(t, want, r.Header.Get("Strict-Transport-Security"), "%s after %q", path, said)
		}
		r := direct.Do(t, http.MethodGet, path, "", "X-Forwarded-Proto: https")
		require.Empty(t, r.Header.Values("Strict-Transport-Security"), "the header of an untrusted client does not count")
	}
}

func TestNoOriginIsAllowedUnlessConfigured(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	for _, origin := range []string{"https://desk.example.com", "null", "*", s.URL} {
		r := s.Do(t, http.MethodGet, "/livez", "", "Origin: "+origin)
		require.Empty(t, r.Header.Values("Access-Control-Allow-Origin"), origin)
	}
}

func TestValidRequestIDOfTheCallerIsKept(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	for _, id := range []string{"12345678", "abcDEF-0123", uuid.NewString(), strings.Repeat("a", 64), "--------"} {
		for _, path := range []string{"/livez", "/me", "/nothing"} {
			r := s.Do(t, http.MethodGet, path, "", "X-Request-Id: "+id)
			require.Equal(t, []string{id}, r.Header.Values("X-Request-Id"))
		}
	}
	seen := map[string]bool{}
	for _, id := range []string{
		"", "1234567", strings.Repeat("a", 65), strings.Repeat("a", 4096), "has a space", "under_score", "dots.dots.dots",
		"line%0abreak", "ünïcödé-name", "\"quoted-id\"", "<script>alert(1)</script>", "tab\there-it-is", "12345678,12345678",
	} {
		r := s.Do(t, http.MethodGet, "/me", "", "X-Request-Id: "+id)
		problem := r.RequireProblem(t, http.StatusUnauthorized, client.ProblemCodeUnauthenticated)
		require.NotEqual(t, id, problem.RequestID)
		made, err := uuid.Parse(problem.RequestID)
		require.NoError(t, err)
		require.Equal(t, uuid.Version(7), made.Version())
		require.False(t, seen[problem.RequestID], "two requests have the same id")
		seen[problem.RequestID] = true
	}
	r := s.Do(t, http.MethodGet, "/livez", "", "X-Request-Id: first-of-two", "X-Request-Id: second-of-two")
	require.Len(t, r.Header.Values("X-Request-Id"), 1)
}
