package session

import (
	"net/netip"
	"strings"
)

// maxUserAgent is in characters, which are all ASCII.
const maxUserAgent = 200

// Client describes the program that begins a session.
type Client struct {
	// UserAgent is the User-Agent header. Sessions store its first 200 characters.
	UserAgent string
	// Addr is the client's address. Sessions store only its network.
	Addr netip.Addr
}

// Network returns the client's network with a prefix of that many bits, for IPv4 and IPv6. All clients without an
// address have the empty network.
func (c Client) Network(bits4, bits6 int) string {
	addr := c.Addr.Unmap().WithZone("")
	bits := bits6
	if addr.Is4() {
		bits = bits4
	}
	prefix, err := addr.Prefix(bits)
	if err != nil || !addr.IsValid() {
		return ""
	}
	return prefix.String()
}

// storedNetwork returns what a session stores of its client's address: enough to tell one's own sessions apart.
func (c Client) storedNetwork() string { return c.Network(24, 48) }

// shortUserAgent returns the beginning of the header, without characters that cannot be stored or shown.
func shortUserAgent(header string) string {
	printable := strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f {
			return -1
		}
		return r
	}, header)
	return printable[:min(len(printable), maxUserAgent)]
}
