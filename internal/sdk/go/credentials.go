package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/supportbackend/support/gen/client/plain"
)

// refreshTimeout bounds the exchange of a refresh token, retries included.
const refreshTimeout = 2 * time.Minute

var (
	// errRefresh marks the errors of a renewal, whose own request was retried already.
	errRefresh = errors.New("support: get an access token")
	// errStore marks those of the program's SessionStore.
	errStore = fmt.Errorf("%w: session store", errRefresh)
)

// credentials are a session's tokens, kept in a store, and the access token in use.
type credentials struct {
	store SessionStore

	mu      sync.Mutex
	access  string
	running *renewal
}

// renewal is a running read of the store or refresh. Its result is set when done is closed.
type renewal struct {
	done   chan struct{}
	access string
	fresh  bool // the token was issued for this renewal
	err    error
}

// token returns the access token, or an empty one if it cannot get one.
func (s *Support) token(ctx context.Context) (string, error) {
	s.credentials.mu.Lock()
	access := s.credentials.access
	s.credentials.mu.Unlock()
	if access != "" {
		return access, nil
	}
	access, _, err := s.renew(ctx, "")
	return access, err
}

// renew returns an access token that is newer than the refused one, or an empty one when there is no way to get it.
// Concurrent callers share one renewal. It continues when they give up, because its refresh token cannot be used again.
// A token that is not fresh came from another process, and may have expired too.
func (s *Support) renew(ctx context.Context, refused string) (access string, fresh bool, err error) {
	c := s.credentials
	c.mu.Lock()
	if c.access != refused {
		defer c.mu.Unlock()
		return c.access, false, nil
	}
	running := c.running
	if running == nil {
		running = &renewal{done: make(chan struct{})}
		c.running = running
		go s.runRenewal(context.WithoutCancel(ctx), running, refused)
	}
	c.mu.Unlock()
	select {
	case <-running.done:
		return running.access, running.fresh, running.err
	case <-ctx.Done():
		return "", false, ctx.Err()
	}
}

func (s *Support) runRenewal(ctx context.Context, running *renewal, refused string) {
	defer close(running.done)
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	c := s.credentials
	var newer string
	var fresh bool
	var failure error
	err := c.store.Update(ctx, func(stored plain.AccessToken) (plain.AccessToken, error) {
		if stored.AccessToken != "" && stored.AccessToken != refused {
			newer = stored.AccessToken
			return stored, nil
		}
		if stored.RefreshToken == "" {
			return stored, nil
		}
		next, err := s.refresh(ctx, stored.RefreshToken)
		if err != nil {
			failure = err
			return stored, err
		}
		newer, fresh = next.AccessToken, true
		return *next, nil
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = nil
	switch {
	case failure != nil:
		running.err = fmt.Errorf("%w: %w", errRefresh, failure)
	case err != nil:
		running.err = fmt.Errorf("%w: %w", errStore, err)
	case newer != "":
		running.access, running.fresh, c.access = newer, fresh, newer
	}
}

// refresh exchanges a refresh token. The request is public and not for a customer.
func (s *Support) refresh(ctx context.Context, refreshToken string) (*plain.AccessToken, error) {
	anonymous := *s
	anonymous.customer = nil
	return call[plain.AccessToken](ctx, &anonymous, operation{public: true, repeatable: true}, nil,
		func(server string) (*http.Request, error) {
			return plain.NewRefreshSessionRequest(server, nil, plain.RefreshRequest{RefreshToken: refreshToken})
		})
}
