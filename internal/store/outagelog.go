package store

import (
	"context"
	"log/slog"
	"time"
)

// OutageLog logs the first failure of something that is tried again and again, and its return: not every try between.
type OutageLog struct {
	// While is what was tried, for people: "following events".
	While  string
	Logger *slog.Logger

	since time.Time
}

// Note takes the result of a try. It must not be called by several goroutines at once.
func (o *OutageLog) Note(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil:
	case err != nil && o.since.IsZero():
		o.since = time.Now()
		o.Logger.WarnContext(ctx, "database fails", slog.String("while", o.While), slog.Any("error", err))
	case err == nil && !o.since.IsZero():
		o.Logger.InfoContext(ctx, "database works again", slog.String("while", o.While),
			slog.Duration("after", time.Since(o.since)))
		o.since = time.Time{}
	}
}
