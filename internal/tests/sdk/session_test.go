package sdktest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/internal/testing/desk"
)

// row is a SessionStore that several SDKs share.
type row struct {
	mu          sync.Mutex
	tokens      client.AccessToken
	read, write error
}

func (r *row) Update(_ context.Context, change func(client.AccessToken) (client.AccessToken, error)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.read != nil {
		return r.read
	}
	next, err := change(r.tokens)
	if err != nil || next == r.tokens {
		return err
	}
	if r.write != nil {
		return r.write
	}
	r.tokens = next
	return nil
}

// issuer is a server that accepts only the last access token that it issued.
type issuer struct {
	mu      sync.Mutex
	current int
	sent    []string
}

func (i *issuer) Do(r *http.Request) (*http.Response, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.sent = append(i.sent, r.URL.Path+" "+r.Header.Get("Authorization")+r.Header.Get(onBehalfOf))
	if r.URL.Path == "/auth/refresh" {
		i.current++
		return jsonOf(http.StatusOK, fmt.Sprintf(`{"access_token":"access-%d","refresh_token":"srt_%d"}`, i.current, i.current)), nil
	}
	if r.Header.Get("Authorization") != fmt.Sprintf("Bearer access-%d", i.current) {
		return problemOf(http.StatusUnauthorized, client.ProblemCodeInvalidToken), nil
	}
	return jsonOf(http.StatusOK, `{}`), nil
}

func TestRefreshReadsTheStoreFirst(t *testing.T) {
	t.Parallel()
	server, store := &issuer{current: 1}, &row{tokens: client.AccessToken{AccessToken: "access-1", RefreshToken: "srt_1"}}
	one := newSupport(t, server.Do, client.WithSessionStore(store))
	other := newSupport(t, server.Do, client.WithSessionStore(store)).ForCustomer("ada")
	for _, support := range []*client.Support{one, other} {
		_, err := support.GetMe(t.Context())
		require.NoError(t, err)
	}
	server.current = 2 // The token has expired.
	server.sent = nil
	for _, support := range []*client.Support{other, one} {
		_, err := support.GetMe(t.Context())
		require.NoError(t, err)
	}
	require.Equal(t, []string{
		"/me Bearer access-1ada", "/auth/refresh ", "/me Bearer access-3ada",
		"/me Bearer access-1", "/me Bearer access-3",
	}, server.sent)
	require.Equal(t, "srt_3", store.tokens.RefreshToken)
}

func TestStoredTokenMayHaveExpired(t *testing.T) {
	t.Parallel()
	server, store := &issuer{current: 1}, &row{tokens: client.AccessToken{AccessToken: "access-1", RefreshToken: "srt_1"}}
	support := newSupport(t, server.Do, client.WithSessionStore(store))
	_, err := support.GetMe(t.Context())
	require.NoError(t, err)
	store.tokens = client.AccessToken{AccessToken: "access-2", RefreshToken: "srt_2"}
	server.current = 3
	server.sent = nil
	_, err = support.GetMe(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{
		"/me Bearer access-1", "/me Bearer access-2", "/auth/refresh ", "/me Bearer access-4",
	}, server.sent)
}

func TestTokensAreNotUsedWhenTheStoreFails(t *testing.T) {
	t.Parallel()
	full := errors.New("the disk is full")
	server, store := &issuer{current: 2}, &row{tokens: client.AccessToken{AccessToken: "access-1", RefreshToken: "srt_1"}, write: full}
	support := newSupport(t, server.Do, client.WithSessionStore(store))
	_, err := support.GetMe(t.Context())
	require.ErrorIs(t, err, full)
	require.Equal(t, []string{"/me Bearer access-1", "/auth/refresh "}, server.sent)

	store.write = nil
	_, err = support.GetMe(t.Context())
	require.NoError(t, err, "the old refresh token is still valid")
}

func TestErrorOfTheStoreIsReturned(t *testing.T) {
	t.Parallel()
	away := errors.New("the database is away")
	_, err := newSupport(t, func(*http.Request) (*http.Response, error) {
		return nil, errors.New("a request was sent")
	}, client.WithSessionStore(&row{read: away})).GetMe(t.Context())
	require.ErrorIs(t, err, away)
}

func TestEmptyStoreSendsNoToken(t *testing.T) {
	t.Parallel()
	_, err := newSupport(t, func(r *http.Request) (*http.Response, error) {
		require.Empty(t, r.Header.Values("Authorization"))
		return problemOf(http.StatusUnauthorized, client.ProblemCodeUnauthenticated), nil
	}, client.WithRetries(0), client.WithSessionStore(&row{})).GetMe(t.Context())
	require.True(t, client.IsProblem(err, client.ProblemCodeUnauthenticated), "%v", err)
}

func TestFailureToStoreTokensKeepsTheSession(t *testing.T) {
	t.Parallel()
	server := desk.New(t, desk.Options{})
	full := errors.New("the disk is full")
	store := &row{tokens: client.AccessToken{AccessToken: "ended", RefreshToken: server.Customer(t).Refresh}, write: full}
	support := connect(t, server, client.WithSessionStore(store))
	for range 3 {
		_, err := support.GetMe(t.Context())
		require.ErrorIs(t, err, full)
	}
	store.write = nil
	_, err := support.GetMe(t.Context())
	require.NoError(t, err)
}

func TestSDKsShareASessionOfTheRealServer(t *testing.T) {
	t.Parallel()
	server := desk.New(t, desk.Options{})
	user := server.Customer(t)
	store := &row{tokens: client.AccessToken{AccessToken: "ended", RefreshToken: user.Refresh}}
	var group sync.WaitGroup
	for range 4 {
		support := connect(t, server, client.WithSessionStore(store))
		for range 4 {
			group.Go(func() {
				for range 5 {
					if _, err := support.GetMe(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	group.Wait()
	require.Len(t, user.With(t, server.Client, store.tokens.AccessToken).Sessions(t), 1)
}
