// Package auth knows who is asking: accounts, passwords and access tokens.
package auth

import (
	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
)

// Actor is the account on whose behalf something is done. Below the HTTP layer it is an explicit argument.
type Actor struct {
	ID    uuid.UUID
	Email string
	Role  sqlc.UserRole
}

// IsStaff reports whether the actor sees every customer's tickets.
func (a Actor) IsStaff() bool {
	return a.Role == sqlc.UserRoleAgent || a.Role == sqlc.UserRoleAdmin
}

// ranks orders the roles: each may do what the ones before it may.
var ranks = map[sqlc.UserRole]int{sqlc.UserRoleUser: 1, sqlc.UserRoleAgent: 2, sqlc.UserRoleAdmin: 3}

// Has reports whether the actor's role is at least the given one. Nobody has a role that does not exist.
func (a Actor) Has(role sqlc.UserRole) bool {
	want, known := ranks[role]
	return known && ranks[a.Role] >= want
}
