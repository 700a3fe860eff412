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

// renew restarts the count of bytes after each chunk of the answer, so that only bytes without progress count.
func (b *body) renew() { b.left = b.max }

func (b *body) Read(p []byte) (int, error) {
	// Reading one byte more than is left distinguishes a body that ends at the limit from a longer one.
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
	case err == nil, err == io.EOF: // Only a bare io.EOF is a normal end; a wrapped one is a lost connection.
		return n, err
	case b.ctx.Err() != nil:
		return n, contextError(b.ctx)
	}
	return n, &Error{Kind: Protocol, Code: CodeConnectionLost, transient: true, cause: err}
}
