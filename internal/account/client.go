package account

import (
	"net/netip"
	"strings"
)

const maxUserAgentRunes = 200

// Client is the program that a session is begun by, as far as it says so.
type Client struct {
	// UserAgent is the header of that name. Only its first 200 characters are kept.
	UserAgent string
	// Addr is the client's address. Only its network is kept.
	Addr netip.Addr
}

// shortUserAgent is the header's beginning, without what cannot be stored or would not be shown.
func shortUserAgent(header string) string {
	printable := strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f {
			return -1
		}
		return r
	}, header)
	return printable[:min(len(printable), maxUserAgentRunes)]
}
