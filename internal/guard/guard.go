// Package guard decides which addresses the server may connect to when somebody else names them. It looks at the address that
// is dialled, after names have been resolved, so that a name which leads elsewhere the next time does not get around it.
package guard

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"code.dny.dev/ssrf"
)

// firstOpenPort is the first port that anybody's program may listen on. Below it are mail, SSH and the like, and the web.
const firstOpenPort = 1024

// webPorts are the ports below firstOpenPort that may be dialled.
var webPorts = []uint16{80, 443}

// Guard allows public addresses, and the networks that it is told.
type Guard struct {
	allow []netip.Prefix
	ssrf  *ssrf.Guardian
}

// New returns a Guard that allows these networks besides public addresses.
func New(allow []netip.Prefix) *Guard {
	return &Guard{allow: allow, ssrf: ssrf.New(ssrf.WithAnyPort())}
}

// Control is for net.Dialer: it refuses what Check refuses.
func (g *Guard) Control(_, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return &net.AddrError{Err: "not an address", Addr: address}
	}
	return g.Check(target)
}

// ControlAllowed is for net.Dialer: it refuses all but the networks that the Guard was told.
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

// Allows reports whether the address is in one of the networks that the Guard was told.
func (g *Guard) Allows(addr netip.Addr) bool {
	addr = addr.Unmap()
	return slices.ContainsFunc(g.allow, func(network netip.Prefix) bool { return network.Contains(addr) })
}

// AllowsNone reports whether the Guard was told no networks.
func (g *Guard) AllowsNone() bool { return len(g.allow) == 0 }

// RefusedError is an address that may not be dialled.
type RefusedError struct{ Addr string }

// Error names the address.
func (e *RefusedError) Error() string { return fmt.Sprintf("connections to %s are not allowed", e.Addr) }
