// Package auth finds out who is asking, by an access token, a stream token or an API key, and for which customer.
package auth

import (
	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
)

// Role is what an account may do: a customer's, or one of staff.
type Role = sqlc.UserRole

// The roles, each of which may do what the ones before it may.
const (
	RoleUser  = sqlc.UserRoleUser
	RoleAgent = sqlc.UserRoleAgent
	RoleAdmin = sqlc.UserRoleAdmin
)

// Actor is the account on whose behalf something is done. Below the HTTP layer it is an explicit argument.
type Actor struct {
	ID    uuid.UUID
	Email string
	// DisplayName is the name beside the account's messages, or empty.
	DisplayName string
	Role        Role
	// SessionID is the session of the access token; nil for an API key.
	SessionID uuid.UUID
	// KeyID is the API key that the service came with; nil for an access token.
	KeyID uuid.UUID
	// ServiceID is the account of the service that the API key is of, also when it acts for a customer; nil for an access token.
	ServiceID uuid.UUID
	// scopes are the API key's.
	scopes scopes
}

// IsStaff reports whether the actor sees every customer's tickets.
func (a Actor) IsStaff() bool {
	return a.Has(RoleAgent)
}

// SeesCustomers reports whether the actor sees the customers of every service. A service, whatever its role, sees only its own.
func (a Actor) SeesCustomers() bool {
	return a.IsStaff() && a.KeyID == uuid.Nil
}

// ranks orders the roles.
var ranks = map[Role]int{RoleUser: 1, RoleAgent: 2, RoleAdmin: 3}

// name returns the name of a row, or an empty text for NULL.
func name(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// Has reports whether the actor's role is at least the given one. Nobody has a role that does not exist.
func (a Actor) Has(role Role) bool {
	want, known := ranks[role]
	return known && ranks[a.Role] >= want
}

// Kind is what the actor is to the desk's journal: a service with its key, one of staff, or a customer. A customer for whom
// a service acts is a customer.
func (a Actor) Kind() sqlc.ActorKind {
	switch {
	case a.KeyID != uuid.Nil && a.IsStaff():
		return sqlc.ActorKindService
	case a.IsStaff():
		return sqlc.ActorKindAgent
	default:
		return sqlc.ActorKindCustomer
	}
}
