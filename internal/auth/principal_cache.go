package auth

import (
	"crypto/sha256"
	"maps"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	// accountTTL is how long the end of a session or of an API key, or a change of its account, may take to be seen by a
	// server that has just asked for them.
	accountTTL = time.Second
	// maxAccounts bounds a cache; an entry takes about 300 bytes.
	maxAccounts = 100_000
)

// principal is whom a session or an API key speaks for, and which access tokens or which key are taken for it.
type principal struct {
	actor        Actor
	tokenVersion int32
	keyHash      [sha256.Size]byte
}

// principalCache remembers for accountTTL whom a session, an API key or a service's customer stands for, so that a busy
// client's requests do not each ask the database.
type principalCache[K comparable] struct {
	now func() time.Time

	mu      sync.Mutex
	entries map[K]cachedPrincipal
}

type cachedPrincipal struct {
	principal
	expires time.Time
}

func newPrincipalCache[K comparable](now func() time.Time) *principalCache[K] {
	return &principalCache[K]{now: now, entries: make(map[K]cachedPrincipal)}
}

func (c *principalCache[K]) get(key K) (principal, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry, ok := c.entries[key]
	if !ok || !c.now().Before(entry.expires) {
		return principal{}, false
	}
	return entry.principal, true
}

// recall returns what was kept, however old: it may have ended since.
func (c *principalCache[K]) recall(key K) (principal, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry, ok := c.entries[key]
	return entry.principal, ok
}

// put keeps what the database said when it was asked. It may have changed since.
func (c *principalCache[K]) put(key K, p principal, asked time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.entries) >= maxAccounts {
		// All of them are refetched within a second anyway.
		clear(c.entries)
	}
	c.entries[key] = cachedPrincipal{principal: p, expires: asked.Add(accountTTL)}
}

// forget makes this server ask again for what has ended.
func (c *principalCache[K]) forget(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, key)
}

// forgetAccount makes this server ask again for everything that speaks for an account.
func (c *principalCache[K]) forgetAccount(id uuid.UUID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.entries, func(_ K, entry cachedPrincipal) bool { return entry.actor.ID == id })
}
