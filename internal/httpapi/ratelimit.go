package httpapi

import (
	"context"
	"math"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/httpapi/contract"
)

const (
	// burstSeconds is the burst: so many seconds' worth of requests are accepted at once.
	burstSeconds = 2
	// maxCallers limits how many callers are remembered. A forgotten caller starts with a full bucket, which it would
	// have after burstSeconds anyway.
	maxCallers = 100_000

	headerRateLimit       = "RateLimit"
	headerRateLimitPolicy = "RateLimit-Policy"
)

// caller is who a request counts for: an account, or the client's address without one.
type caller struct {
	user    uuid.UUID
	network netip.Prefix
}

// rateLimiter gives each caller a token bucket, by the generic cell rate algorithm: the only state of a bucket is when
// it will be full. It counts the requests of this replica; limits over all replicas are counted in the database.
type rateLimiter struct {
	interval time.Duration // in which the bucket regains one request
	burst    int
	now      func() time.Time

	mu sync.Mutex
	// They map callers to when their buckets are full again. When young has enough of them, it replaces old.
	young, old map[caller]time.Time
}

// newRateLimiter returns nil, which limits nobody, for 0 requests per second.
func newRateLimiter(perSecond int) *rateLimiter {
	if perSecond == 0 {
		return nil
	}
	return &rateLimiter{
		interval: time.Second / time.Duration(perSecond), burst: perSecond * burstSeconds, now: time.Now,
		young: make(map[caller]time.Time),
	}
}

// take takes the cost of a request from the caller's bucket, if there is enough. It returns what is left and how long
// it takes to regain one request or, after a refusal, enough for this one; zero when the bucket is full. A request
// never costs more than a full bucket.
func (l *rateLimiter) take(c caller, cost int) (left int, next time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	full := l.recallLocked(c)
	if full.Before(now) {
		full = now
	}
	missing := full.Add(l.price(cost)).Sub(now)
	capacity := time.Duration(l.burst) * l.interval
	if missing > capacity {
		return int((capacity - full.Sub(now)) / l.interval), missing - capacity, false
	}
	l.young[c] = now.Add(missing)
	left = int((capacity - missing) / l.interval)
	return left, missing - time.Duration(l.burst-left-1)*l.interval, true
}

// giveBack undoes take.
func (l *rateLimiter) giveBack(c caller, cost int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.young[c] = l.recallLocked(c).Add(-l.price(cost))
}

// price returns how long the bucket takes to regain the cost.
func (l *rateLimiter) price(cost int) time.Duration {
	return l.interval * time.Duration(min(cost, l.burst))
}

// recallLocked returns when the caller's bucket is full, and marks the caller as young.
func (l *rateLimiter) recallLocked(c caller) time.Time {
	full, known := l.young[c]
	if known {
		return full
	}
	full = l.old[c]
	if len(l.young) >= maxCallers/2 {
		l.young, l.old = make(map[caller]time.Time), l.young
	}
	l.young[c] = full
	return full
}

// limit counts the request for its caller and sets the RateLimit headers. It returns RateLimited.
func (s *Server) limit(c echo.Context, op *contract.Operation) error {
	if s.limiter == nil || !op.Limited {
		return nil
	}
	who, policy := callerFrom(c.Request().Context()), "user"
	if who.user == uuid.Nil {
		policy = "address"
	}
	left, next, ok := s.limiter.take(who, op.Cost)
	header, quoted := c.Response().Header(), `"`+policy+`"`
	header.Set(headerRateLimitPolicy, quoted+";q="+strconv.Itoa(s.limiter.burst)+";w="+strconv.Itoa(burstSeconds))
	header.Set(headerRateLimit, quoted+";r="+strconv.Itoa(left)+";t="+strconv.Itoa(int(math.Ceil(next.Seconds()))))
	if !ok {
		return apperr.New(apperr.RateLimited, "There are too many requests.").After(next)
	}
	return nil
}

// unlimit undoes limit's count for the request's address.
func (s *Server) unlimit(c echo.Context, op *contract.Operation) {
	if s.limiter != nil && op.Limited {
		s.limiter.giveBack(caller{network: networkOf(infoFrom(c.Request().Context()).client.Addr)}, op.Cost)
	}
}

// callerFrom returns who the request counts for.
func callerFrom(ctx context.Context) caller {
	info := infoFrom(ctx)
	if info.actor.ID != uuid.Nil {
		return caller{user: info.actor.ID}
	}
	return caller{network: networkOf(info.client.Addr)}
}

// networkOf returns the part of an address that the client cannot choose: an IPv6 subscriber has at least a /64.
func networkOf(client netip.Addr) netip.Prefix {
	bits := client.BitLen()
	if client.Is6() {
		bits = 64
	}
	prefix, _ := client.WithZone("").Prefix(bits) // An invalid address has the zero prefix.
	return prefix
}

// addressOf returns the client's address: the peer's, or the one that a trusted proxy names.
func addressOf(c echo.Context) netip.Addr {
	client, _ := netip.ParseAddr(c.RealIP()) // Clients without an address share the zero one.
	return client.Unmap()
}
