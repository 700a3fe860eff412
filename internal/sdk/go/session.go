package client

import (
	"context"
	"sync"

	"github.com/supportbackend/support/gen/client/plain"
)

// SessionStore stores the tokens of one session, such as those that LogIn returned: in a file, in a row of a database,
// in a keychain. Goroutines, SDKs and processes can share a session through it.
type SessionStore interface {
	// Update calls change with the stored tokens, stores the tokens that change returns, and then returns. From before
	// it reads the tokens until it returns, it must hold a lock that everybody who shares the session takes, because a
	// refresh token is for one use. When change returns an error, Update stores nothing and returns the error.
	//
	// The SDK calls it before its first request, and when the server refuses the access token. If another process has
	// replaced the refused token, change returns the stored tokens unchanged; otherwise it sends a request, which takes
	// at most two minutes.
	Update(ctx context.Context, change func(plain.AccessToken) (plain.AccessToken, error)) error
}

// memory stores a session for one Support, and calls keep.
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
