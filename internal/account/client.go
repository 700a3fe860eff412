package account

import (
	"net/netip"
	"strings"
)

const maxUserAgentRunes = 200

// Client describes the program that begins a session.
type Client struct {
	// UserAgent is the User-Agent header. Sessions store its first 200 characters.
	UserAgent string
	// Addr is the client's address. Sessions store only its network.
	Addr netip.Addr
}

// shortUserAgent returns the beginning of the header, without characters that cannot be stored or shown.
func shortUserAgent(header string) string {
	printable := strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f {
			return -1
		}
		return r
	}, header)
	return printable[:min(len(printable), maxUserAgentRunes)]
}
