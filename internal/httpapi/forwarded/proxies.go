// Package forwarded reads what trusted proxies say about a request: the client's address, and whether the client used TLS.
package forwarded

import (
	"iter"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

const (
	headerForwarded = "Forwarded"
	headerFor       = "X-Forwarded-For"
	headerProto     = "X-Forwarded-Proto"
)

// Proxies are the networks of trusted proxies.
type Proxies []*net.IPNet

func (p Proxies) contain(addr netip.Addr) bool {
	return slices.ContainsFunc(p, func(network *net.IPNet) bool { return network.Contains(addr.AsSlice()) })
}

// ClientIP returns the client's address. Each proxy appends the address that it received the request from, so the list
// is read backwards for as long as the writer of an element is trusted. An element that is not an address ends the
// list: then the last trusted proxy counts as the client.
func (p Proxies) ClientIP(r *http.Request) string {
	client := peerOf(r)
	for named := range hops(r.Header) {
		if !p.contain(client) {
			break
		}
		before, ok := parseNode(named)
		if !ok {
			break
		}
		client = before
	}
	return client.String()
}

// CameByTLS reports whether the client's own connection is encrypted, according to a trusted proxy.
func (p Proxies) CameByTLS(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	if !p.contain(peerOf(r)) {
		return false
	}
	scheme, found := lastOf(r.Header.Values(headerProto))
	if element, ok := lastOf(r.Header.Values(headerForwarded)); ok && !found {
		scheme = forwardedPair(element, "proto")
	}
	return strings.EqualFold(unquoted(scheme), "https")
}

// peerOf returns the address of the connection's other end, or the zero address.
func peerOf(r *http.Request) netip.Addr {
	peer, _ := netip.ParseAddrPort(r.RemoteAddr)
	return peer.Addr().WithZone("").Unmap()
}

// hops returns the nodes that the proxies name, last one first: those of X-Forwarded-For or, without that header, of
// Forwarded (RFC 7239). A proxy that writes X-Forwarded-For may forward a Forwarded header from the client unchanged.
func hops(header http.Header) iter.Seq[string] {
	if lines := header.Values(headerFor); len(lines) > 0 {
		return backward(lines)
	}
	return func(yield func(string) bool) {
		for element := range backward(header.Values(headerForwarded)) {
			if !yield(forwardedPair(element, "for")) {
				return
			}
		}
	}
}

// backward returns the elements of a list over several lines (RFC 9110, section 5.6.1), last one first. A comma ends an
// element even inside quotes: no address contains one, and an open quote from the client must not swallow what a proxy
// appended.
func backward(lines []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range slices.Backward(lines) {
			for more := true; more; {
				var element string
				if i := strings.LastIndexByte(line, ','); i >= 0 {
					line, element = line[:i], line[i+1:]
				} else {
					element, more = line, false
				}
				if element = strings.Trim(element, " \t"); element != "" && !yield(element) {
					return
				}
			}
		}
	}
}

// lastOf returns the last element of a list.
func lastOf(lines []string) (string, bool) {
	for element := range backward(lines) {
		return element, true
	}
	return "", false
}

// forwardedPair returns a parameter of an element of Forwarded, or "" unless it occurs exactly once.
func forwardedPair(element, name string) string {
	var values []string
	for pair := range strings.SplitSeq(element, ";") {
		if key, value, _ := strings.Cut(pair, "="); strings.EqualFold(strings.TrimSpace(key), name) {
			values = append(values, value)
		}
	}
	if len(values) != 1 {
		return ""
	}
	return values[0]
}

// unquoted returns a token unchanged, and the content of a quoted string.
func unquoted(s string) string {
	s = strings.Trim(s, " \t")
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// node is an address with or without a port, which may be obfuscated (RFC 7239, section 6).
var node = regexp.MustCompile(`^(?:\[([^\[\]]+)\]|([^:\[\]]+))(?::(?:[0-9]{1,5}|_[A-Za-z0-9._-]+))?$`)

// parseNode parses an address in any form: with a port, in brackets, quoted.
func parseNode(s string) (netip.Addr, bool) {
	s = unquoted(s)
	if len(s) > maxNode {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(s)
	if parts := node.FindStringSubmatch(s); err != nil && parts != nil {
		addr, err = netip.ParseAddr(parts[1] + parts[2])
	}
	return addr.WithZone("").Unmap(), err == nil
}

// maxNode is longer than any address.
const maxNode = 255
