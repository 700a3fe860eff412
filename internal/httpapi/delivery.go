package httpapi

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/supportbackend/support/internal/apperr"
)

const (
	// maxHeldBytes limits the size of the responses that clients have not read yet, and maxHeldBytesEach those of one
	// caller.
	maxHeldBytes     = 64 << 20
	maxHeldBytesEach = 8 << 20
	heldPause        = time.Second

	// A body is written in chunks of this size, and a client has this long to read each of them.
	deliveryChunk   = 32 << 10
	deliveryTimeout = 10 * time.Second
)

// deliveries counts the bytes of responses that clients have not read yet.
type deliveries struct {
	mu    sync.Mutex
	total int
	each  map[caller]int
}

// hold counts a body until release is called. It returns RateLimited when the caller has too many unread bytes, and
// ServerBusy when all callers together have.
func (d *deliveries) hold(who caller, size int) (release func(), err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.each[who] > 0 && d.each[who]+size > maxHeldBytesEach:
		return nil, apperr.New(apperr.RateLimited, "Read the responses to earlier requests first.").After(heldPause)
	case d.total > 0 && d.total+size > maxHeldBytes:
		return nil, apperr.New(apperr.ServerBusy, "The server has reached its limit of unread responses.").
			After(heldPause)
	}
	if d.each == nil {
		d.each = make(map[caller]int)
	}
	d.total += size
	d.each[who] += size
	return func() { d.release(who, size) }, nil
}

func (d *deliveries) release(who caller, size int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.total -= size
	d.each[who] -= size
	if d.each[who] == 0 {
		delete(d.each, who)
	}
}

// deliver runs the handler and sends its response.
func (s *Server) deliver(c echo.Context, next echo.HandlerFunc) error {
	r, err := record(c, next)
	if err != nil {
		return err
	}
	return s.send(c, r.status, r.header, r.body.Bytes())
}

// send sends a recorded response, in addition to the headers that are already set. It returns the errors of hold.
func (s *Server) send(c echo.Context, status int, header http.Header, body []byte) error {
	// A write has taken effect, so its response, which is small, is not refused.
	if method := c.Request().Method; len(body) > 0 && (method == http.MethodGet || method == http.MethodHead) {
		release, err := s.deliveries.hold(callerFrom(c.Request().Context()), len(body))
		if err != nil {
			return err
		}
		defer release()
	}
	maps.Copy(c.Response().Header(), header)
	if len(body) > 0 {
		c.Response().Header().Set(echo.HeaderContentLength, strconv.Itoa(len(body)))
	}
	c.Response().WriteHeader(status)
	return writeInChunks(c.Response(), body)
}

// writeInChunks writes to a client that has deliveryTimeout for each chunk, however long the whole takes.
func writeInChunks(w http.ResponseWriter, body []byte) error {
	controller := http.NewResponseController(w)
	for len(body) > 0 {
		chunk := body[:min(len(body), deliveryChunk)]
		err := controller.SetWriteDeadline(time.Now().Add(deliveryTimeout))
		if err != nil && !errors.Is(err, http.ErrNotSupported) { // A recorder in a test has no deadlines.
			return fmt.Errorf("httpapi: set the write deadline: %w", err)
		}
		if _, err := w.Write(chunk); err != nil {
			return fmt.Errorf("httpapi: send the response: %w", err)
		}
		body = body[len(chunk):]
	}
	return nil
}
