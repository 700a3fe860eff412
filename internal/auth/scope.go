package auth

import "github.com/google/uuid"

// Scope is what an API key may do, or what an operation requires of one.
type Scope string

// The scopes of API keys.
const (
	ScopeTicketsRead  Scope = "tickets:read"
	ScopeTicketsWrite Scope = "tickets:write"
	ScopeAI           Scope = "ai"
	ScopeUsers        Scope = "users"
	ScopeEvents       Scope = "events"
	ScopeWebhooks     Scope = "webhooks"
	ScopeOnBehalf     Scope = "on_behalf"
)

// What an operation may require instead of a scope: nothing, or a caller without an API key.
const (
	AnyScope Scope = "any"
	NoScope  Scope = "none"
)

// scopes is a set of Scope. It is comparable, so that Actor is.
type scopes uint8

const (
	ticketsRead scopes = 1 << iota
	ticketsWrite
	ai
	users
	events
	webhooks
	onBehalf
)

// scopeBits maps each Scope to its bit.
var scopeBits = map[Scope]scopes{
	ScopeTicketsRead:  ticketsRead,
	ScopeTicketsWrite: ticketsWrite,
	ScopeAI:           ai,
	ScopeUsers:        users,
	ScopeEvents:       events,
	ScopeWebhooks:     webhooks,
	ScopeOnBehalf:     onBehalf,
}

func scopesOf(names []string) scopes {
	var set scopes
	for _, name := range names {
		set |= scopeBits[Scope(name)]
	}
	return set
}

// IsRequirable reports whether an operation can require the scope.
func (s Scope) IsRequirable() bool {
	return s == AnyScope || s == NoScope || scopeBits[s] != 0 && s != ScopeOnBehalf
}

// InScope reports whether the actor's API key has the scope. Without a key, everything is in scope.
func (a Actor) InScope(s Scope) bool {
	return a.KeyID == uuid.Nil || s == AnyScope || a.scopes&scopeBits[s] != 0
}
