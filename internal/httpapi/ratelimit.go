package httpapi

import (
	"context"
	"math"
	"net/netip"
	"strconv"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/httpapi/contract"
	"github.com/supportbackend/support/internal/httpapi/limit"
)

const (
	headerRateLimit       = "RateLimit"
	headerRateLimitPolicy = "RateLimit-Policy"
)

// limit counts the request for its caller and sets the RateLimit headers. It returns RateLimited.
func (s *Server) limit(c echo.Context, op *contract.Operation) error {
	if s.limiter == nil || !op.Limited {
		return nil
	}
	who, policy := callerFrom(c.Request().Context()), "user"
	if who.User == uuid.Nil {
		policy = "address"
	}
	left, next, ok := s.limiter.Take(who, op.Cost)
	header, quoted := c.Response().Header(), `"`+policy+`"`
	header.Set(headerRateLimitPolicy, quoted+";q="+strconv.Itoa(s.limiter.Burst())+";w="+strconv.Itoa(limit.BurstSeconds))
	header.Set(headerRateLimit, quoted+";r="+strconv.Itoa(left)+";t="+strconv.Itoa(int(math.Ceil(next.Seconds()))))
	if !ok {
		return apperr.New(apperr.RateLimited, "There are too many requests.").After(next)
	}
	return nil
}

// unlimit undoes limit's count for the request's address.
func (s *Server) unlimit(c echo.Context, op *contract.Operation) {
	if s.limiter != nil && op.Limited {
		s.limiter.GiveBack(limit.CallerAt(infoFrom(c.Request().Context()).client.Addr), op.Cost)
	}
}

// callerFrom returns who the request counts for.
func callerFrom(ctx context.Context) limit.Caller {
	info := infoFrom(ctx)
	if info.actor.ID != uuid.Nil {
		return limit.Caller{User: info.actor.ID}
	}
	return limit.CallerAt(info.client.Addr)
}

// addressOf returns the client's address: the peer's, or the one that a trusted proxy names.
func addressOf(c echo.Context) netip.Addr {
	client, _ := netip.ParseAddr(c.RealIP()) // Clients without an address share the zero one.
	return client.Unmap()
}
