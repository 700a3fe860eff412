// Package uuid7 makes the ids of everything that the product stores or logs.
package uuid7

import "github.com/google/uuid"

// New returns a new UUID of version 7, which sorts by time. The only thing that could fail is the source of random bytes,
// and crypto/rand ends the program rather than return an error.
func New() uuid.UUID { return uuid.Must(uuid.NewV7()) }
