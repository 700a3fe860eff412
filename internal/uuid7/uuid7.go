// Package uuid7 makes the ids of everything the product stores or logs.
package uuid7

import "github.com/google/uuid"

// New returns a new UUID of version 7, which sorts by time. It cannot fail: crypto/rand ends the program rather than
// return an error.
func New() uuid.UUID { return uuid.Must(uuid.NewV7()) }
