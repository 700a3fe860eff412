package api_test

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/internal/account"
	"github.com/supportbackend/support/internal/httpapi/contract"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
)

func TestEveryOperationExceptProbesIsRateLimited(t *testing.T) {
	t.Parallel()
	for _, o := range specOperations(t) {
		limited := o.Responses.Status(http.StatusTooManyRequests)
		if slices.Contains(o.Tags, "health") {
			require.Nil(t, limited, "%s: probes are never refused", o.OperationID)
			continue
		}
		require.NotNil(t, limited, "%s: 429 is not declared", o.OperationID)
		for _, name := range []string{"Retry-After", "RateLimit", "RateLimit-Policy"} {
			require.Contains(t, limited.Value.Headers, name, o.OperationID)
		}
		require.Contains(t, limited.Value.Content["application/problem+json"].Examples, "rate_limited", o.OperationID)
	}
}

func networks(t *testing.T, texts ...string) (parsed []*net.IPNet) {
	t.Helper()
	for _, text := range texts {
		_, network, err := net.ParseCIDR(text)
		require.NoError(t, err)
		parsed = append(parsed, network)
	}
	return parsed
}

// exhaust sends requests until one is refused, and returns the refusal. The bucket regains one request per second.
func exhaust(t *testing.T, send func(i int) apitest.Response) apitest.Response {
	t.Helper()
	begin := time.Now()
	for i := range 200 {
		r := send(i)
		if r.Status == http.StatusTooManyRequests {
			return r
		}
		require.LessOrEqual(t, float64(i), 2+time.Since(begin).Seconds(), "more requests than the limit")
	}
	require.Fail(t, "no request was refused")
	return apitest.Response{}
}

func requireRateLimited(t *testing.T, r apitest.Response, policy string) {
	t.Helper()
	problem := requireRefused(t, r, http.StatusTooManyRequests, client.ProblemCodeRateLimited)
	require.True(t, problem.Retryable)
	require.Equal(t, "1", r.Header.Get("Retry-After"))
	require.Equal(t, []string{`"` + policy + `";q=2;w=2`}, r.Header.Values("RateLimit-Policy"))
	require.Equal(t, []string{`"` + policy + `";r=0;t=1`}, r.Header.Values("RateLimit"))
	requireSecure(t, r, "a refusal")
}

func TestRateLimitOfAnAccount(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	greedy, other := s.Customer(t), s.Customer(t)
	limited := desk.New(t, desk.Options{DatabaseURL: s.DatabaseURL, RateLimit: 1})
	send := func(u *apitest.User, method, path, body string, header ...string) apitest.Response {
		return limited.Do(t, method, path, body, append(header, "Authorization: Bearer "+u.Token)...)
	}
	r := exhaust(t, func(i int) apitest.Response {
		// All requests, even invalid ones, count in one bucket.
		return send(greedy, http.MethodGet, []string{"/me", "/tickets", "/tickets?limit=x"}[i%3], "")
	})
	requireRateLimited(t, r, "user")
	// The limit applies before the body is read.
	r = exhaust(t, func(int) apitest.Response {
		return send(greedy, http.MethodPost, "/tickets", pad("{", contract.LeastBodyLimit+1), "Content-Type: text/plain")
	})
	requireRateLimited(t, r, "user")

	r = send(other, http.MethodGet, "/me", "")
	require.Equal(t, http.StatusOK, r.Status, "other accounts are not affected")
	require.Equal(t, `"user";q=2;w=2`, r.Header.Get("RateLimit-Policy"))
	require.Equal(t, `"user";r=1;t=1`, r.Header.Get("RateLimit"))
	for range 20 {
		require.Equal(t, http.StatusOK, limited.Do(t, http.MethodGet, "/livez", "").Status)
		require.Equal(t, http.StatusOK, limited.Do(t, http.MethodGet, "/readyz", "").Status)
	}
}

func TestRateLimitOfAnAddressThatTriesTokens(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{RateLimit: 1})
	r := exhaust(t, func(i int) apitest.Response {
		return s.Do(t, http.MethodGet, "/me", "", fmt.Sprintf("Authorization: Bearer %s%d", canary, i))
	})
	requireRateLimited(t, r, "address")
	requireRateLimited(t, exhaust(t, func(int) apitest.Response { return s.Do(t, http.MethodGet, "/tickets", "") }), "address")
}

func TestForgedForwardingHeaderDoesNotChangeTheBucket(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{RateLimit: 1})
	begin, allowed := time.Now(), 0
	for i := range 1000 {
		r := s.Do(t, http.MethodPost, "/auth/login", "{", jsonType, fmt.Sprintf("X-Forwarded-For: 6.6.%d.%d", i/250, i%250),
			fmt.Sprintf("X-Real-IP: 6.6.%d.%d", i/250, i%250), fmt.Sprintf("Forwarded: for=6.6.%d.%d", i/250, i%250))
		if r.Status != http.StatusTooManyRequests {
			allowed++
		}
	}
	require.LessOrEqual(t, float64(allowed), 3+time.Since(begin).Seconds())
}

func TestClientsBehindATrustedProxyHaveTheirOwnBuckets(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{RateLimit: 1, TrustedProxies: networks(t, "127.0.0.0/8")})
	ask := func(forwarded string) apitest.Response {
		return s.Do(t, http.MethodGet, "/me", "", "X-Forwarded-For: "+forwarded)
	}
	for i := range 100 {
		require.Equal(t, http.StatusUnauthorized, ask(fmt.Sprintf("198.51.100.%d", i)).Status)
	}
	r := exhaust(t, func(i int) apitest.Response { return ask(fmt.Sprintf("6.6.6.%d, 203.0.113.9", i)) })
	requireRateLimited(t, r, "address")
	require.Equal(t, http.StatusUnauthorized, ask("203.0.113.9, 203.0.113.10").Status, "only the address from the proxy counts")
}

func TestLimitsOfLogInsAndSignUps(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	email := s.Customer(t).Email
	limited := desk.New(t, desk.Options{DatabaseURL: s.DatabaseURL, Attempts: account.Limits{FailedLogIns: 1, SignUps: 1}})
	for _, c := range []struct {
		path   string
		before int
		wait   int
	}{{"/auth/login", http.StatusUnauthorized, 900}, {"/auth/signup", http.StatusConflict, 3600}} {
		body := map[string]string{"email": email, "password": apitest.Password + "x"}
		require.Equal(t, c.before, post(t, limited, c.path, body).Status)
		r := post(t, limited, c.path, body)
		problem := requireRefused(t, r, http.StatusTooManyRequests, client.ProblemCodeTooManyAttempts)
		require.True(t, problem.Retryable)
		wait, err := strconv.Atoi(r.Header.Get("Retry-After"))
		require.NoError(t, err)
		require.InDelta(t, c.wait, wait, 60)
		require.NotContains(t, string(r.Body), email)
	}
}
