package auth

import (
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	// accountTTL is how long a change of an account may take to be seen by a server that has just asked for it.
	accountTTL = time.Second
	// maxAccounts bounds the cache; an entry takes about 200 bytes.
	maxAccounts = 100_000
)

// accountCache keeps accounts for accountTTL, so that a busy client's requests do not each ask the database who it is.
type accountCache struct {
	now func() time.Time

	mu      sync.Mutex
	entries map[uuid.UUID]cachedAccount
}

type cachedAccount struct {
	actor   Actor
	expires time.Time
}

func newAccountCache(now func() time.Time) *accountCache {
	return &accountCache{now: now, entries: make(map[uuid.UUID]cachedAccount)}
}

func (c *accountCache) get(id uuid.UUID) (Actor, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry, ok := c.entries[id]
	if !ok || !c.now().Before(entry.expires) {
		return Actor{}, false
	}
	return entry.actor, true
}

func (c *accountCache) put(actor Actor) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.entries) >= maxAccounts {
		// All of them are refetched within a second anyway.
		clear(c.entries)
	}
	c.entries[actor.ID] = cachedAccount{actor: actor, expires: c.now().Add(accountTTL)}
}
