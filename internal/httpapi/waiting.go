package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/labstack/echo/v4"
)

// stream is a response that may take long to end. There are thousands of them, so they wait where little is on the stack,
// which does not shrink while a handler waits.
type stream interface {
	// begin sends the beginning. It is called first, and may use much of a stack.
	begin(w http.ResponseWriter) error
	// follow waits for the rest and sends it. It calls nothing that needs much of a stack.
	follow() error
	// close is called last.
	close()
}

// handOver is how the handler of an operation that streams passes its stream to waitForStreams.
func handOver(ctx context.Context, s stream) error {
	infoFrom(ctx).stream = s
	return nil
}

// waitForStreams runs the handlers of operations that stream in other goroutines, whose stacks are released before the
// streams wait.
func (s *Server) waitForStreams(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if op, known := s.gate.operations[route{c.Request().Method, c.Path()}]; !known || !op.Streams() {
			return next(c)
		}
		info := infoFrom(c.Request().Context())
		defer info.closeStream()
		err := onFreshStack(func() error {
			if err := next(c); err != nil || info.stream == nil {
				return err
			}
			return info.stream.begin(c.Response())
		})
		if err != nil || info.stream == nil {
			return err
		}
		return info.stream.follow()
	}
}

// closeStream closes the response if it is a stream.
func (i *requestInfo) closeStream() {
	if i.stream != nil {
		i.stream.close()
	}
}

// onFreshStack calls fn in its own goroutine and waits for it. A panic of fn becomes one of the caller.
func onFreshStack(fn func() error) (err error) {
	done := make(chan struct{})
	var fault any
	go func() {
		defer close(done)
		defer func() {
			if fault = recover(); fault != nil {
				fault = fmt.Sprintf("%v\n%s", fault, debug.Stack())
			}
		}()
		err = fn()
	}()
	<-done
	if fault != nil {
		panic(fault)
	}
	return err
}
