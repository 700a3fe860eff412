package auth

import (
	"maps"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	// accountTTL is how long the end of a session or a change of its account may take to be seen by a server that has
	// just asked for them.
	accountTTL = time.Second
	// maxAccounts bounds the cache; an entry takes about 250 bytes.
	maxAccounts = 100_000
)

// principal is whom a session speaks for, and which of its access tokens are taken.
type principal struct {
	actor        Actor
	tokenVersion int32
}

// sessionCache keeps what sessions stand for for accountTTL, so that a busy client's requests do not each ask the database
// who it is.
type sessionCache struct {
	now func() time.Time

	mu      sync.Mutex
	entries map[uuid.UUID]cachedPrincipal
}

type cachedPrincipal struct {
	principal
	expires time.Time
}

func newSessionCache(now func() time.Time) *sessionCache {
	return &sessionCache{now: now, entries: make(map[uuid.UUID]cachedPrincipal)}
}

func (c *sessionCache) get(session uuid.UUID) (principal, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry, ok := c.entries[session]
	if !ok || !c.now().Before(entry.expires) {
		return principal{}, false
	}
	return entry.principal, true
}

// put keeps what the database said when it was asked. It may have changed since.
func (c *sessionCache) put(p principal, asked time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.entries) >= maxAccounts {
		// All of them are refetched within a second anyway.
		clear(c.entries)
	}
	c.entries[p.actor.SessionID] = cachedPrincipal{principal: p, expires: asked.Add(accountTTL)}
}

// forget makes this server ask again for a session that has ended.
func (c *sessionCache) forget(session uuid.UUID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, session)
}

// forgetAccount makes this server ask again for all sessions of an account.
func (c *sessionCache) forgetAccount(id uuid.UUID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.entries, func(_ uuid.UUID, entry cachedPrincipal) bool { return entry.actor.ID == id })
}
