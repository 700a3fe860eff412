package sdktest_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
)

func jsonOf(status int, body string, header ...string) *http.Response {
	response := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
	response.Header.Set("Content-Type", "application/json")
	if status >= http.StatusBadRequest {
		response.Header.Set("Content-Type", "application/problem+json")
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		response.Header.Set(name, value)
	}
	return response
}

func problemOf(status int, code client.ProblemCode, header ...string) *http.Response {
	return jsonOf(status, `{"code":"`+string(code)+`","status":400,"retryable":true}`, header...)
}

const pair = `{"access_token":"access-2","token_type":"bearer","expires_in":900,"refresh_token":"srt_2"}`

func TestEveryOperationHasAMethod(t *testing.T) {
	t.Parallel()
	contract, err := os.ReadFile("../../../openapi.yaml")
	require.NoError(t, err)
	operations := regexp.MustCompile(`(?m)^ {4}(?:get|put|post|patch|delete):\n {6}operationId: (\w+)\n(?: {6}.*\n)*`).FindAllStringSubmatch(string(contract), -1)
	require.NotEmpty(t, operations)
	support := reflect.TypeFor[*client.Support]()
	for _, operation := range operations {
		if strings.Contains(operation[0], "x-sdk: none") {
			continue // It has its own clients.
		}
		_, isThere := support.MethodByName(strings.ToUpper(operation[1][:1]) + operation[1][1:])
		require.True(t, isThere, operation[1])
	}
}

func TestNewReadsTheEnvironment(t *testing.T) {
	t.Setenv("SUPPORT_BASE_URL", "https://support.example.com/v0")
	t.Setenv("SUPPORT_TOKEN", "from-the-environment")
	var sent *http.Request
	support, err := client.New(client.WithHTTPClient(upstream(func(r *http.Request) (*http.Response, error) {
		sent = r
		return jsonOf(http.StatusOK, `{}`), nil
	})))
	require.NoError(t, err)
	_, err = support.GetMe(t.Context())
	require.NoError(t, err)
	require.Equal(t, "https://support.example.com/v0/me", sent.URL.String())
	require.Equal(t, "Bearer from-the-environment", sent.Header.Get("Authorization"))
	require.Regexp(t, `^support-go/\d+\.\d+\.\d+$`, sent.Header.Get("User-Agent"))
}

func TestNewRefusesInvalidOptions(t *testing.T) {
	t.Setenv("SUPPORT_BASE_URL", "")
	for _, options := range [][]client.Option{
		nil,
		{client.WithBaseURL("support.example.com")},
		{client.WithBaseURL("ftp://support.example.com")},
		{client.WithBaseURL("https://user:secret@support.example.com")},
		{client.WithBaseURL("https://support.example.com?token=secret")},
		{client.WithBaseURL("https://support.example.com"), client.WithRetries(-1)},
	} {
		_, err := client.New(options...)
		require.Error(t, err)
		require.NotContains(t, err.Error(), "secret")
	}
}

func TestTokensDoNotFollowRedirects(t *testing.T) {
	t.Parallel()
	support, err := client.New(client.WithBaseURL("http://127.0.0.1:1"), client.WithRetries(0))
	require.NoError(t, err)
	_, err = support.GetMe(t.Context())
	require.Error(t, err, "no server listens there")

	_, err = newSupport(t, func(*http.Request) (*http.Response, error) {
		return jsonOf(http.StatusFound, "", "Location: https://elsewhere.example.com/"), nil
	}).GetMe(t.Context())
	var problem *client.Problem
	require.ErrorAs(t, err, &problem)
	require.EqualValues(t, http.StatusFound, problem.Status)
}

func TestIdempotencyKeysAreUniqueUUIDs(t *testing.T) {
	t.Parallel()
	keys := map[string]bool{}
	support := newSupport(t, func(r *http.Request) (*http.Response, error) {
		key := r.Header.Get("Idempotency-Key")
		require.NoError(t, uuid.Validate(key))
		keys[key] = true
		return jsonOf(http.StatusCreated, `{}`), nil
	})
	for range 3 {
		_, err := support.CreateTicket(t.Context(), client.CreateTicketRequest{})
		require.NoError(t, err)
	}
	require.Len(t, keys, 3)
}

func TestRetryAfterMayBeADate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin, requests := time.Now(), 0
		_, err := newSupport(t, func(*http.Request) (*http.Response, error) {
			requests++
			if requests == 1 {
				date := begin.Add(40 * time.Second).UTC().Format(http.TimeFormat)
				return problemOf(http.StatusServiceUnavailable, client.ProblemCodeServerBusy, "Retry-After: "+date), nil
			}
			return jsonOf(http.StatusOK, `{}`), nil
		}).GetMe(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2, requests)
		require.GreaterOrEqual(t, time.Since(begin), 39*time.Second)
	})
}

func TestHangingRequestIsRetried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin, requests := time.Now(), 0
		_, err := newSupport(t, func(r *http.Request) (*http.Response, error) {
			requests++
			if requests == 1 {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return jsonOf(http.StatusOK, `{}`), nil
		}).GetMe(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2, requests)
		require.InDelta(t, 60.55, time.Since(begin).Seconds(), 0.1)
	})
}

func TestContextEndsTheWaitForARetry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin, requests := time.Now(), 0
		_, err := newSupport(t, func(*http.Request) (*http.Response, error) {
			requests++
			return problemOf(http.StatusServiceUnavailable, client.ProblemCodeServerBusy, "Retry-After: 30"), nil
		}).GetMe(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(begin))
		require.Equal(t, 1, requests)
	})
}

func TestRefreshContinuesWhenTheCallerLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refreshes := 0
		answer, kept := make(chan struct{}), make(chan string, 1)
		support := newSupport(t, func(r *http.Request) (*http.Response, error) {
			switch {
			case r.URL.Path == "/auth/refresh":
				refreshes++
				<-answer
				return jsonOf(http.StatusOK, pair), r.Context().Err()
			case r.Header.Get("Authorization") != "Bearer access-2":
				return problemOf(http.StatusUnauthorized, client.ProblemCodeInvalidToken), nil
			default:
				return jsonOf(http.StatusOK, `{}`), nil
			}
		}, client.WithRefreshToken("srt_1", func(next client.AccessToken) { kept <- next.RefreshToken }))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := support.GetMe(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		close(answer)
		require.Equal(t, "srt_2", <-kept)
		synctest.Wait()
		_, err = support.GetMe(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, refreshes)
	})
}

func TestCallersAuthorizationHeaderIsKept(t *testing.T) {
	t.Parallel()
	requests := 0
	_, err := newSupport(t, func(r *http.Request) (*http.Response, error) {
		requests++
		require.Equal(t, []string{"Bearer mine"}, r.Header.Values("Authorization"))
		return problemOf(http.StatusUnauthorized, client.ProblemCodeInvalidToken), nil
	}, client.WithRefreshToken("srt_1", nil), client.WithRetries(0)).GetMe(t.Context(), client.WithHeader("Authorization", "Bearer mine"))
	require.True(t, client.IsProblem(err, client.ProblemCodeInvalidToken))
	require.Equal(t, 1, requests)
}

func TestBodiesOutsideTheContractAreErrors(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "null", "[]", "<html>", `{"id":`} {
		requests := 0
		_, err := newSupport(t, func(*http.Request) (*http.Response, error) {
			requests++
			return jsonOf(http.StatusOK, body), nil
		}).GetMe(t.Context())
		require.ErrorIs(t, err, client.ErrProtocol, body)
		require.Equal(t, 1, requests)
	}
}

func TestLinkToTheSamePageEndsTheList(t *testing.T) {
	t.Parallel()
	requests := 0
	support := newSupport(t, func(*http.Request) (*http.Response, error) {
		requests++
		return jsonOf(http.StatusOK, `[{}]`, `Link: </tickets?cursor=again>; rel="next"`), nil
	})
	items := 0
	for _, err := range support.ListTickets(t.Context(), nil) {
		if err != nil {
			require.ErrorIs(t, err, client.ErrProtocol)
			break
		}
		items++
	}
	require.Equal(t, 1, items)
	require.Equal(t, 2, requests)
}

func TestListStopsWhenTheReaderLeaves(t *testing.T) {
	t.Parallel()
	requests := 0
	support := newSupport(t, func(*http.Request) (*http.Response, error) {
		requests++
		return jsonOf(http.StatusOK, `[{},{}]`, `Link: </tickets?cursor=next>; rel="next"`), nil
	})
	for _, err := range support.ListTickets(t.Context(), nil) {
		require.NoError(t, err)
		break
	}
	require.Equal(t, 1, requests)
}
