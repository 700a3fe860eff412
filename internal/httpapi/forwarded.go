package httpapi

import (
	"iter"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

const headerForwarded = "Forwarded"

// proxies are the networks of the proxies that are believed.
type proxies []*net.IPNet

func (p proxies) contain(addr netip.Addr) bool {
	return slices.ContainsFunc(p, func(network *net.IPNet) bool { return network.Contains(addr.AsSlice()) })
}

// clientIP is the address that the request comes from. Each proxy appends whom it got the request from, so the list is
// read from its end for as long as who wrote an element is trusted. What is not an address ends the list: then the last
// trusted proxy is all that is known of the client.
func (p proxies) clientIP(r *http.Request) string {
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

// peerOf is the address at the other end of the connection; the zero one if it has none.
func peerOf(r *http.Request) netip.Addr {
	peer, _ := netip.ParseAddrPort(r.RemoteAddr)
	return peer.Addr().WithZone("").Unmap()
}

// hops are the nodes that the proxies name, from the last one on: those of X-Forwarded-For, or those of Forwarded (RFC
// 7239) if there is no X-Forwarded-For. A proxy that writes X-Forwarded-For may pass a Forwarded of the client's on.
func hops(header http.Header) iter.Seq[string] {
	if lines := header.Values(echo.HeaderXForwardedFor); len(lines) > 0 {
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

// backward are the elements of a list over several lines (RFC 9110, section 5.6.1), from the last one on. A comma ends an
// element even where it is quoted: no address has one, and an open quote of the client's must not swallow what a proxy has
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

// forwardedPair returns a value of an element of Forwarded, or "" when there is none, or more than one.
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

// unquoted is a token, or what stands in a quoted string.
func unquoted(s string) string {
	s = strings.Trim(s, " \t")
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// node is an address with or without a port, which may be hidden (RFC 7239, section 6).
var node = regexp.MustCompile(`^(?:\[([^\[\]]+)\]|([^:\[\]]+))(?::(?:[0-9]{1,5}|_[A-Za-z0-9._-]+))?$`)

// parseNode reads an address in any of its spellings: with a port, in brackets, quoted.
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

// maxNode is more than any address has characters.
const maxNode = 255
