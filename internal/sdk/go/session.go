package client

import (
	"context"
	"sync"

	"github.com/supportbackend/support/gen/client/plain"
)

// SessionStore keeps the tokens of one session, such as those that LogIn returned: in a file, in a row of a database, in a
// keychain. Several goroutines, SDKs and processes may share one session through their stores.
type SessionStore interface {
	// Update calls change with the tokens that are stored, stores those that it returns, and returns after they are stored.
	// It must hold a lock that everybody who shares the session takes, from before it reads the tokens until it returns: a
	// refresh token is for one use. When change returns an error, Update stores nothing and returns the error.
	//
	// The SDK calls it before its first request, and when the server refuses the access token. Change returns the tokens as
	// they are when another process has replaced the refused one; otherwise it sends a request, within two minutes.
	Update(ctx context.Context, change func(plain.AccessToken) (plain.AccessToken, error)) error
}

// memory keeps a session for one Support, and tells its caller.
type memory struct {
	mu     sync.Mutex
	tokens plain.AccessToken
	keep   func(plain.AccessToken)
}

// Update changes the tokens.
func (m *memory) Update(_ context.Context, change func(plain.AccessToken) (plain.AccessToken, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	next, err := change(m.tokens)
	if err != nil {
		return err
	}
	if next != m.tokens && m.keep != nil {
		m.keep(next)
	}
	m.tokens = next
	return nil
}
