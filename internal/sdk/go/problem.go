package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/supportbackend/support/gen/client/plain"
)

// maxProblem bounds the body of an error, in bytes.
const maxProblem = 1 << 20

// Problem is an error response.
type Problem struct {
	plain.Problem
	// RetryAfter is the wait that the header Retry-After asks for; 0 without one.
	RetryAfter time.Duration `json:"-"`
}

// Error returns the problem, the places of its faults, and the request's id in the server's log.
func (p *Problem) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "support: %d", p.Status)
	if p.Code != "" {
		fmt.Fprintf(&text, " %s", p.Code)
	}
	for _, part := range []string{p.Title, p.Detail} {
		if part != "" {
			fmt.Fprintf(&text, ": %s", strings.TrimSuffix(part, "."))
		}
	}
	for _, field := range p.Errors {
		fmt.Fprintf(&text, "; %s %s", field.Pointer, field.Code)
	}
	if p.RequestID != "" {
		fmt.Fprintf(&text, " (request %s)", p.RequestID)
	}
	return text.String()
}

// IsProblem reports whether the error is a problem with the code.
func IsProblem(err error, code plain.ProblemCode) bool {
	var problem *Problem
	return errors.As(err, &problem) && problem.Code == code
}

// readProblem returns the problem in a response. A response that is not from the server, for example from a proxy, has
// no code (RFC 9457, section 4.2.1); then the status decides whether it is retryable.
func readProblem(response *http.Response) *Problem {
	problem := &Problem{}
	mediaType, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	body, err := io.ReadAll(io.LimitReader(response.Body, maxProblem))
	if err != nil || mediaType != "application/problem+json" || json.Unmarshal(body, &problem.Problem) != nil || problem.Code == "" {
		problem.Problem = plain.Problem{
			Type: "about:blank", Title: http.StatusText(response.StatusCode),
			RequestID: response.Header.Get("X-Request-Id"),
		}
		switch response.StatusCode {
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			problem.Retryable = true
		}
	}
	problem.Status = int32(response.StatusCode)
	problem.RetryAfter = retryAfter(response.Header.Get("Retry-After"))
	return problem
}

// retryAfter parses a number of seconds or a date (RFC 9110, section 10.2.3).
func retryAfter(value string) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(time.Until(date), 0)
	}
	return 0
}
