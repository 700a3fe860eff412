package assistant

import (
	"context"
	"log/slog"
	"time"
)

// outage logs the first failure of something that is tried again and again, and its return: not every try between.
type outage struct {
	what   string
	logger *slog.Logger
	since  time.Time
}

// note takes the result of a try.
func (o *outage) note(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil:
	case err != nil && o.since.IsZero():
		o.since = time.Now()
		o.logger.WarnContext(ctx, "database fails", slog.String("while", o.what), slog.Any("error", err))
	case err == nil && !o.since.IsZero():
		o.logger.InfoContext(ctx, "database works again", slog.String("while", o.what),
			slog.Duration("after", time.Since(o.since)))
		o.since = time.Time{}
	}
}
