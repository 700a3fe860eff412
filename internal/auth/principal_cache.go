package auth

import (
	"crypto/sha256"
	"maps"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	// accountTTL is how long a server may take to notice the end of a session or an API key, or a change of its
	// account.
	accountTTL = time.Second
	// maxAccounts bounds a cache. An entry has about 300 bytes.
	maxAccounts = 100_000
)

// principal is the account of a session or an API key, with what verifies the access tokens or the key.
type principal struct {
	actor        Actor
	tokenVersion int32
	keyHash      [sha256.Size]byte
}

// principalCache caches for accountTTL the principals of sessions, API keys and services' customers, so that not every
// request of a busy client queries the database.
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

// recall returns a cached principal of any age. It may have ended since.
func (c *principalCache[K]) recall(key K) (principal, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry, ok := c.entries[key]
	return entry.principal, ok
}

// put stores a principal as of the time of the query. It may have changed since.
func (c *principalCache[K]) put(key K, p principal, asked time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.entries) >= maxAccounts {
		// All entries are refetched within a second anyway.
		clear(c.entries)
	}
	c.entries[key] = cachedPrincipal{principal: p, expires: asked.Add(accountTTL)}
}

// forget removes an entry that has ended.
func (c *principalCache[K]) forget(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, key)
}

// forgetAccount removes every entry of an account.
func (c *principalCache[K]) forgetAccount(id uuid.UUID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.entries, func(_ K, entry cachedPrincipal) bool { return entry.actor.ID == id })
}
