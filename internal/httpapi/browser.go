package httpapi

import (
	"maps"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/supportbackend/support/internal/httpapi/contract"
	"github.com/supportbackend/support/internal/httpapi/forwarded"
	"github.com/supportbackend/support/internal/httpapi/uistream"
)

const (
	corsMaxAge = 600 // seconds

	// strictTransport keeps browsers to TLS for a year (RFC 6797).
	strictTransport = "max-age=31536000"
)

// browserHeaders are sent with every response.
var browserHeaders = http.Header{
	"Cache-Control":                {"no-store"},
	"Content-Security-Policy":      {"default-src 'none'; frame-ancestors 'none'"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
	"Referrer-Policy":              {"no-referrer"},
	"X-Content-Type-Options":       {"nosniff"},
	"X-Frame-Options":              {"DENY"},
}

// secure sets the security headers for browsers. It adds Strict-Transport-Security where the client used TLS.
func secure(trusted forwarded.Proxies) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			header := c.Response().Header()
			maps.Copy(header, browserHeaders)
			if trusted.CameByTLS(c.Request()) {
				header.Set(echo.HeaderStrictTransportSecurity, strictTransport)
			}
			return next(c)
		}
	}
}

// setUnbuffered asks proxies to pass a stream on as it arrives. nginx would buffer it. Others collect what they compress, such
// as the servers of Next.js and those with Express's compression.
func setUnbuffered(header http.Header) {
	header.Set("Cache-Control", "no-store, no-transform")
	header.Set("X-Accel-Buffering", "no")
}

// cors lets pages of the allowed origins call the API. The API uses no cookies.
func cors(allowed, methods []string) echo.MiddlewareFunc {
	return middleware.CORSWithConfig(middleware.CORSConfig{
		// An OPTIONS request that is not a preflight is handled like any method that the contract does not have.
		Skipper: func(c echo.Context) bool {
			if c.Request().Method != http.MethodOptions ||
				c.Request().Header.Get(echo.HeaderAccessControlRequestMethod) != "" {
				return false
			}
			c.Response().Header().Add(echo.HeaderVary, echo.HeaderOrigin)
			return true
		},
		AllowOriginFunc: func(origin string) (bool, error) { return slices.Contains(allowed, origin), nil },
		AllowMethods:    methods,
		AllowHeaders: []string{
			echo.HeaderAccept, echo.HeaderAuthorization, echo.HeaderContentType, contract.HeaderIdempotencyKey, contract.HeaderIfMatch,
			contract.HeaderIfNoneMatch, "Last-Event-ID", headerOnBehalfOf, echo.HeaderXRequestID,
			// Libraries add these to every request. The server ignores them.
			"baggage", echo.HeaderCacheControl, "sentry-trace", "traceparent", "tracestate", echo.HeaderXRequestedWith,
		},
		ExposeHeaders: []string{
			echo.HeaderAllow, headerETag, headerIdempotencyReplayed, "Link", echo.HeaderLocation, headerRateLimit,
			headerRateLimitPolicy, echo.HeaderRetryAfter, echo.HeaderWWWAuthenticate, echo.HeaderXRequestID,
			uistream.VersionHeader,
		},
		MaxAge: corsMaxAge,
	})
}
