package limit

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestBucketAllowsItsBurstAndThenItsRate(t *testing.T) {
	t.Parallel()
	l := NewRate(50)
	now := time.Now()
	l.now = func() time.Time { return now }
	who := Caller{User: uuid.New()}
	for i := range 100 {
		left, next, ok := l.Take(who, 1)
		require.True(t, ok, i)
		require.Equal(t, 99-i, left)
		require.Equal(t, 20*time.Millisecond, next)
	}
	_, next, ok := l.Take(who, 1)
	require.False(t, ok)
	require.Equal(t, 20*time.Millisecond, next)
	_, _, ok = l.Take(Caller{User: uuid.New()}, 1)
	require.True(t, ok, "somebody else")

	now = now.Add(50 * time.Millisecond)
	taken := 0
	for {
		if _, _, ok = l.Take(who, 1); !ok {
			break
		}
		taken++
	}
	require.Equal(t, 2, taken)
	now = now.Add(time.Hour)
	left, _, ok := l.Take(who, 1)
	require.True(t, ok)
	require.Equal(t, 99, left, "a bucket never exceeds its size")
}

func TestRequestWithACostTakesMoreTokens(t *testing.T) {
	t.Parallel()
	l := NewRate(50)
	now := time.Now()
	l.now = func() time.Time { return now }
	who := Caller{User: uuid.New()}
	for i := range 20 {
		left, _, ok := l.Take(who, 5)
		require.True(t, ok, i)
		require.Equal(t, 95-5*i, left)
	}
	_, next, ok := l.Take(who, 5)
	require.False(t, ok)
	require.Equal(t, 100*time.Millisecond, next, "until five tokens are back")
	l.GiveBack(who, 5)
	left, _, ok := l.Take(who, 5)
	require.True(t, ok)
	require.Zero(t, left)

	slow := NewRate(1)
	_, _, ok = slow.Take(who, 5)
	require.True(t, ok, "a full bucket allows any request")
}

func TestRememberedCallersAreBounded(t *testing.T) {
	t.Parallel()
	l := NewRate(1)
	now := time.Now()
	l.now = func() time.Time { return now }
	greedy := Caller{User: uuid.New()}
	for i := range 3 * maxCallers {
		address := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		_, _, ok := l.Take(CallerAt(address), 1)
		require.True(t, ok)
		if i%(maxCallers/4) == 0 {
			_, _, ok = l.Take(greedy, 1)
			require.Equal(t, i < maxCallers/2, ok, "active callers are not evicted")
		}
	}
	require.LessOrEqual(t, len(l.young)+len(l.old), maxCallers)
}

func TestIPv6NetworkIsOneCaller(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"192.0.2.7": "192.0.2.7/32", "2001:db8::1": "2001:db8::/64", "2001:db8::ffff:0:0:1": "2001:db8::/64", "fe80::1%eth0": "fe80::/64",
	} {
		require.Equal(t, want, CallerAt(netip.MustParseAddr(text)).Network.String())
	}
	require.Equal(t, Caller{}, CallerAt(netip.Addr{}))
}
