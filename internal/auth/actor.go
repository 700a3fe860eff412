// Package auth authenticates callers by an access token, a stream token or an API key, and resolves the customers that
// services act for.
package auth

import (
	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
)

// Role is the role of an account: a customer's, or one of staff.
type Role = sqlc.UserRole

// The roles. Each may do everything that the previous one may.
const (
	RoleUser  = sqlc.UserRoleUser
	RoleAgent = sqlc.UserRoleAgent
	RoleAdmin = sqlc.UserRoleAdmin
)

// Actor is the account that a request acts as. Below the HTTP layer, it is an explicit argument.
type Actor struct {
	ID    uuid.UUID
	Email string
	// DisplayName is shown with the account's messages; it may be empty.
	DisplayName string
	Role        Role
	// SessionID is the session of the access token; nil for an API key.
	SessionID uuid.UUID
	// KeyID is the API key of the request; nil for an access token.
	KeyID uuid.UUID
	// ServiceID is the account of the API key's service, also when it acts for a customer; nil for an access token.
	ServiceID uuid.UUID
	// scopes are the API key's.
	scopes scopes
}

// IsStaff reports whether the actor sees every customer's tickets.
func (a Actor) IsStaff() bool {
	return a.Has(RoleAgent)
}

// SeesCustomers reports whether the actor sees the customers of every service. A service sees only its own, whatever
// its role.
func (a Actor) SeesCustomers() bool {
	return a.IsStaff() && a.KeyID == uuid.Nil
}

// ranks orders the roles.
var ranks = map[Role]int{RoleUser: 1, RoleAgent: 2, RoleAdmin: 3}

// name returns a nullable name, empty for NULL.
func name(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// Has reports whether the actor's role is at least the given one. Nobody has an unknown role.
func (a Actor) Has(role Role) bool {
	want, known := ranks[role]
	return known && ranks[a.Role] >= want
}

// Kind returns the actor's kind in the journal: a service with its key, a staff member, or a customer. A customer for
// whom a service acts counts as a customer.
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
