package groq

import (
	"context"
	"io"
	"time"
)

// body reads a response's body within limits: of bytes without progress, and of silence. Its errors are io.EOF and
// *Error.
type body struct {
	r      io.Reader
	ctx    context.Context // the attempt's; its cause says why a read failed
	cancel context.CancelCauseFunc
	idle   func() time.Duration
	max    int64
	left   int64
	timer  *time.Timer
}

func newBody(ctx context.Context, cancel context.CancelCauseFunc, r io.Reader, max int64) *body {
	b := &body{r: r, ctx: ctx, cancel: cancel, max: max, left: max}
	// The timer only runs within Read, so a caller that is slow itself is not taken for a silent upstream.
	b.timer = time.AfterFunc(time.Hour, func() { cancel(errIdle) })
	b.timer.Stop()
	return b
}

// renew begins the count of bytes again: the answer goes on, however many bytes each of its pieces is wrapped in.
func (b *body) renew() { b.left = b.max }

func (b *body) Read(p []byte) (int, error) {
	// One byte more than is left may be read, which tells a body that ends at the limit from one that goes on.
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	b.timer.Reset(b.idle())
	n, err := b.r.Read(p)
	b.timer.Stop()
	if int64(n) > b.left {
		n, b.left = int(b.left), 0
		return n, protocolError("body_too_long")
	}
	b.left -= int64(n)
	switch {
	case err == nil, err == io.EOF: // Only the bare one is an orderly end; in a wrapped cause it is a lost connection.
		return n, err
	case b.ctx.Err() != nil:
		return n, contextError(b.ctx)
	}
	return n, &Error{Kind: Protocol, Code: "connection_lost", transient: true, cause: err}
}
