// Package guard decides which addresses the server may connect to when users name them, to prevent server-side request
// forgery. It checks the dialled address, after name resolution, so that changing a DNS name does not bypass the check.
package guard

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"code.dny.dev/ssrf"
)

// firstOpenPort is the first unprivileged port. Below it are services such as mail and SSH, and the web.
const firstOpenPort = 1024

// webPorts are the ports below firstOpenPort that may be dialled.
var webPorts = []uint16{80, 443}

// Guard allows public addresses and the given networks.
type Guard struct {
	allow []netip.Prefix
	ssrf  *ssrf.Guardian
}

// New returns a Guard that allows these networks besides public addresses.
func New(allow []netip.Prefix) *Guard {
	return &Guard{allow: allow, ssrf: ssrf.New(ssrf.WithAnyPort())}
}

// Control is a net.Dialer's Control function that applies Check.
func (g *Guard) Control(_, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return &net.AddrError{Err: "not an address", Addr: address}
	}
	return g.Check(target)
}

// ControlAllowed is a net.Dialer's Control function that refuses everything but the given networks.
func (g *Guard) ControlAllowed(_, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil || !g.Allows(target.Addr()) {
		return &RefusedError{Addr: address}
	}
	return nil
}

// Check returns a RefusedError for an address that may not be dialled.
func (g *Guard) Check(target netip.AddrPort) error {
	if g.Allows(target.Addr()) {
		return nil
	}
	if target.Port() < firstOpenPort && !slices.Contains(webPorts, target.Port()) {
		return &RefusedError{Addr: target.String()}
	}
	if err := g.ssrf.SafeAddr(target.Addr()); err != nil {
		return &RefusedError{Addr: target.String()}
	}
	return nil
}

// Allows reports whether the address is in one of the given networks.
func (g *Guard) Allows(addr netip.Addr) bool {
	addr = addr.Unmap()
	return slices.ContainsFunc(g.allow, func(network netip.Prefix) bool { return network.Contains(addr) })
}

// AllowsNone reports whether there are no given networks.
func (g *Guard) AllowsNone() bool { return len(g.allow) == 0 }

// RefusedError is an address that may not be dialled.
type RefusedError struct{ Addr string }

// Error names the address.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("connections to %s are not allowed", e.Addr)
}
