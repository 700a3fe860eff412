package guard_test

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/guard"
)

func TestOnlyPublicAddressesMayBeDialled(t *testing.T) {
	t.Parallel()
	g := guard.New(nil)
	require.True(t, g.AllowsNone())
	for address, allowed := range map[string]bool{
		"93.184.215.14:443": true, "93.184.215.14:80": true, "93.184.215.14:8443": true, "[2606:2800:21f::1]:443": true,
		"93.184.215.14:22": false, "93.184.215.14:25": false, "[2606:2800:21f::1]:22": false,
		"127.0.0.1:443": false, "[::1]:443": false, "0.0.0.0:443": false, "[::]:443": false, "169.254.169.254:80": false,
		"10.1.2.3:443": false, "172.16.0.1:443": false, "192.168.1.1:443": false, "100.64.0.1:443": false,
		"[fd00::1]:443": false, "[fe80::1]:443": false, "[::ffff:127.0.0.1]:443": false, "[::ffff:10.0.0.1]:443": false,
		"[64:ff9b::7f00:1]:443": false, "[2002:7f00:1::]:443": false, "224.0.0.1:443": false, "255.255.255.255:443": false,
		"192.0.2.1:443": false, "198.18.0.1:443": false, "localhost:443": false, "": false,
	} {
		require.Equal(t, allowed, g.Control("tcp", address, nil) == nil, address)
		require.Error(t, g.ControlAllowed("tcp", address, nil), address)
	}
}

func TestAllowedNetworksMayBeDialled(t *testing.T) {
	t.Parallel()
	g := guard.New([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")})
	require.False(t, g.AllowsNone())
	for address, allowed := range map[string]bool{
		"10.1.2.3:22": true, "[::1]:9000": true, "[::ffff:10.1.2.3]:80": true, "127.0.0.1:80": false, "11.0.0.1:80": false,
	} {
		require.Equal(t, allowed, g.ControlAllowed("tcp", address, nil) == nil, address)
	}
	require.NoError(t, g.Control("tcp", "10.1.2.3:22", nil))
}

// However an address is written, the dialler checks the one that it connects to.
func TestDialledAddressIsChecked(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // Closed below.
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			t.Error("a connection was accepted")
			_ = conn.Close()
		}
	}()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	dialer := net.Dialer{Control: guard.New(nil).Control}
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "0x7f000001", "2130706433", "0177.0.0.1", "127.1"} {
		_, err := dialer.DialContext(context.Background(), "tcp", host+":"+port)
		require.Error(t, err, host)
	}
}
