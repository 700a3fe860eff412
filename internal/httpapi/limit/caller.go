// Package limit limits what one caller, and all callers together, may take of this server: requests per second (rate.go),
// open streams (streams.go), and bytes of responses that clients have not read (unread.go). Limits over all replicas are
// counted in the database, by others.
package limit

import (
	"net/netip"

	"github.com/google/uuid"
)

// Caller is who a request counts for: an account, or the client's network without one.
type Caller struct {
	User    uuid.UUID
	Network netip.Prefix
}

// CallerAt returns the caller at an address: the part of it that the client cannot choose. An IPv6 subscriber has at least
// a /64.
func CallerAt(client netip.Addr) Caller {
	bits := client.BitLen()
	if client.Is6() {
		bits = 64
	}
	prefix, _ := client.WithZone("").Prefix(bits) // An invalid address has the zero prefix.
	return Caller{Network: prefix}
}
