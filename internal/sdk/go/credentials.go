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

// errRefresh marks the errors of a refresh, which was retried by itself.
var errRefresh = errors.New("support: refresh the access token")

// credentials are the tokens of a session.
type credentials struct {
	mu              sync.Mutex
	access, refresh string
	keep            func(plain.AccessToken)
	running         *renewal
}

// renewal is a refresh that is under way. Its result is set when done is closed.
type renewal struct {
	done   chan struct{}
	access string
	err    error
}

func (c *credentials) renewable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refresh != ""
}

// token returns the access token. It is empty when there is none and no way to get one.
func (s *Support) token(ctx context.Context) (string, error) {
	s.credentials.mu.Lock()
	access, renewable := s.credentials.access, s.credentials.refresh != ""
	s.credentials.mu.Unlock()
	if access == "" && renewable {
		return s.renew(ctx, "")
	}
	return access, nil
}

// renew returns an access token that is newer than the refused one. Callers at the same time share one refresh, which goes on
// when they leave: its refresh token cannot be used again.
func (s *Support) renew(ctx context.Context, refused string) (string, error) {
	c := s.credentials
	c.mu.Lock()
	if c.access != refused {
		defer c.mu.Unlock()
		return c.access, nil
	}
	running := c.running
	if running == nil {
		running = &renewal{done: make(chan struct{})}
		c.running = running
		go s.refresh(context.WithoutCancel(ctx), running, c.refresh)
	}
	c.mu.Unlock()
	select {
	case <-running.done:
		return running.access, running.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (s *Support) refresh(ctx context.Context, running *renewal, refreshToken string) {
	defer close(running.done)
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	// There is nothing to refresh before this request, which is public.
	tokens, err := call[plain.AccessToken](ctx, s, operation{public: true, repeatable: true}, nil,
		func(server string) (*http.Request, error) {
			return plain.NewRefreshSessionRequest(server, nil, plain.RefreshRequest{RefreshToken: refreshToken})
		})
	c := s.credentials
	if err == nil && c.keep != nil {
		c.keep(*tokens)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = nil
	if err != nil {
		running.err = fmt.Errorf("%w: %w", errRefresh, err)
		return
	}
	c.access, c.refresh = tokens.AccessToken, tokens.RefreshToken
	running.access = c.access
}
