package forwarded

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// trusted returns the proxies of these tests.
func trusted(t testing.TB) Proxies {
	t.Helper()
	var p Proxies
	for _, network := range []string{"10.0.0.0/8", "fd00::/8"} {
		_, parsed, err := net.ParseCIDR(network)
		require.NoError(t, err)
		p = append(p, parsed)
	}
	return p
}

// from returns a peer's request with header lines.
func from(peer string, lines ...string) *http.Request {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", nil)
	r.RemoteAddr = peer
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func TestClientIsTheLastUntrustedAddress(t *testing.T) {
	t.Parallel()
	const (
		xff = "X-Forwarded-For: "
		fwd = "Forwarded: "
	)
	for _, test := range []struct {
		want  string
		lines []string
	}{
		{"10.0.0.1", nil},
		{"203.0.113.7", []string{xff + "203.0.113.7"}},
		{"203.0.113.7", []string{xff + "203.0.113.7:4711"}},
		{"203.0.113.7", []string{xff + `"203.0.113.7:4711"`}},
		{"203.0.113.7", []string{xff + "203.0.113.7:_hidden"}},
		{"203.0.113.7", []string{xff + "[::ffff:203.0.113.7]:80"}},
		{"2001:db8::7", []string{xff + "2001:db8::7"}},
		{"2001:db8::7", []string{xff + "[2001:db8::7]"}},
		{"2001:db8::7", []string{xff + "[2001:db8::7]:4711"}},
		{"2001:db8::7", []string{xff + `"[2001:db8::7]:4711"`}},
		{"fe80::7", []string{xff + "fe80::7%eth0"}},
		{"203.0.113.7", []string{xff + "6.6.6.6, 203.0.113.7"}},
		{"203.0.113.7", []string{xff + "6.6.6.6", xff + "203.0.113.7"}},
		{"203.0.113.7", []string{xff + "6.6.6.6, 203.0.113.7, 10.9.9.9"}},
		{"203.0.113.7", []string{xff + "6.6.6.6,203.0.113.7:1 ,\t[fd00::1]:2", xff + "10.9.9.9:3, ,"}},
		{"10.8.8.8", []string{xff + "10.8.8.8, 10.9.9.9"}},
		{"10.0.0.1", []string{xff + "unknown"}},
		{"10.0.0.1", []string{xff + "6.6.6.6, unknown"}},
		{"10.9.9.9", []string{xff + "6.6.6.6, unknown, 10.9.9.9"}},
		{"10.9.9.9", []string{xff + "6.6.6.6, 203.0.113.7:port, 10.9.9.9"}},
		{"10.0.0.1", []string{xff + "6.6.6.6, 203.0.113.7:1:2"}},
		{"10.0.0.1", []string{xff + "203.0.113.777"}},
		{"10.0.0.1", []string{xff + "203.0.113.7 6.6.6.6"}},
		{"10.0.0.1", []string{xff + "client.example"}},
		{"10.0.0.1", []string{xff + `"203.0.113.7`}},
		{"10.0.0.1", []string{xff + "[203.0.113.7"}},
		{"10.0.0.1", []string{xff + strings.Repeat("1", 10000)}},
		{"10.0.0.1", []string{xff}},
		{"203.0.113.7", []string{fwd + "for=203.0.113.7"}},
		{"203.0.113.7", []string{fwd + `FOR="203.0.113.7:4711";proto=https;by=10.1.1.1`}},
		{"2001:db8::7", []string{fwd + `proto=https; for="[2001:db8::7]:4711"`}},
		{"203.0.113.7", []string{fwd + "for=6.6.6.6, for=203.0.113.7, for=10.9.9.9"}},
		{"203.0.113.7", []string{fwd + "for=6.6.6.6", fwd + "for=203.0.113.7"}},
		{"203.0.113.7", []string{fwd + `for="6.6.6.6, for=203.0.113.7`}},
		{"203.0.113.7", []string{fwd + `for=", for="203.0.113.7"`}},
		{"10.9.9.9", []string{fwd + "for=6.6.6.6, for=_hidden, for=10.9.9.9"}},
		{"10.9.9.9", []string{fwd + "for=6.6.6.6, proto=https, for=10.9.9.9"}},
		{"10.0.0.1", []string{fwd + "for=6.6.6.6;for=203.0.113.7"}},
		{"10.0.0.1", []string{fwd + "203.0.113.7"}},
		{"203.0.113.7", []string{xff + "203.0.113.7", fwd + "for=6.6.6.6"}},
		{"10.0.0.1", []string{xff + "unknown", fwd + "for=6.6.6.6"}},
	} {
		require.Equal(t, test.want, trusted(t).ClientIP(from("10.0.0.1:1234", test.lines...)), "%q", test.lines)
		require.Equal(t, "198.51.100.1", trusted(t).ClientIP(from("198.51.100.1:1234", test.lines...)), "%q by a stranger", test.lines)
		require.Equal(t, "10.0.0.1", Proxies(nil).ClientIP(from("10.0.0.1:1234", test.lines...)), "%q without proxies", test.lines)
	}
}

// spelt draws a spelling of an address.
func spelt(t *rapid.T, addr netip.Addr) string {
	host, port := addr.String(), fmt.Sprintf(":%d", rapid.IntRange(1, 65535).Draw(t, "port"))
	if addr.Is6() {
		host = "[" + host + "]"
	}
	return rapid.SampledFrom([]string{addr.String(), host, host + port, `"` + host + port + `"`, " " + host + port + "\t"}).Draw(t, "spelling")
}

// TestForgedForwardingDoesNotChangeTheClient lets a client send any header before the proxies append theirs.
func TestForgedForwardingDoesNotChangeTheClient(t *testing.T) {
	t.Parallel()
	all := trusted(t)
	rapid.Check(t, func(t *rapid.T) {
		client := netip.AddrFrom4([4]byte{203, 0, 113, rapid.Byte().Draw(t, "client")})
		if rapid.Bool().Draw(t, "v6") {
			client = netip.MustParseAddr("2001:db8::").Next()
		}
		name := rapid.SampledFrom([]string{"X-Forwarded-For", "Forwarded"}).Draw(t, "header")
		element := func(addr netip.Addr) string {
			if name == "Forwarded" {
				return "for=" + strings.TrimSpace(spelt(t, addr))
			}
			return spelt(t, addr)
		}
		forged := rapid.StringMatching(`[ -~]{0,40}`).Draw(t, "forged")
		lines := []string{forged}
		hops := []netip.Addr{client}
		for range rapid.IntRange(0, 3).Draw(t, "proxies") {
			hops = append(hops, netip.AddrFrom4([4]byte{10, 0, rapid.Byte().Draw(t, "hop"), 1}))
		}
		for _, hop := range hops {
			if last := &lines[len(lines)-1]; rapid.Bool().Draw(t, "same line") {
				*last += ", " + element(hop)
			} else {
				lines = append(lines, element(hop))
			}
		}
		r := from("10.0.0.1:1234")
		r.Header[name] = lines
		require.Equal(t, client.String(), all.ClientIP(r), "%q", lines)
	})
}

func FuzzClientIP(f *testing.F) {
	f.Add("203.0.113.7:1, unknown", `for="[2001:db8::7]:1";proto=https, for=_x`)
	f.Add(`"`, `for="`)
	all := trusted(f)
	f.Fuzz(func(t *testing.T, forwardedFor, forwarded string) {
		r := from("10.0.0.1:1234")
		if forwardedFor != "" {
			r.Header.Set("X-Forwarded-For", forwardedFor)
		}
		r.Header.Set("Forwarded", forwarded)
		addr, err := netip.ParseAddr(all.ClientIP(r))
		require.NoError(t, err)
		require.Empty(t, addr.Zone())
		require.False(t, addr.Is4In6())
	})
}

func TestSchemeComesFromTheLastProxy(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		"X-Forwarded-Proto: https": true, "X-Forwarded-Proto: https, http": false, "Forwarded: for=1.2.3.4;proto=https": true,
		"Forwarded: for=1.2.3.4;Proto=\"https\"": true, "Forwarded: proto=https, for=1.2.3.4": false, "X-Nothing: https": false,
	} {
		require.Equal(t, want, trusted(t).CameByTLS(from("10.0.0.1:1234", line)), line)
		require.False(t, trusted(t).CameByTLS(from("198.51.100.1:1234", line)), line)
	}
}
