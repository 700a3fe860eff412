package auth

import (
	"net/netip"
	"strings"
)

// What is kept of a client's address: enough to tell one's own sessions apart, and no more.
const (
	networkBits4 = 24
	networkBits6 = 48
)

// networkOf is the network of an address, such as 203.0.113.0/24; empty for what is no address.
func networkOf(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return ""
	}
	addr = addr.Unmap().WithZone("")
	bits := networkBits6
	if addr.Is4() {
		bits = networkBits4
	}
	network, err := addr.Prefix(bits)
	if err != nil {
		return ""
	}
	return network.String()
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
