package background

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// riverLogPause is the minimum time between two identical lines.
const riverLogPause = time.Minute

// riverLog writes River's warnings as this package writes its own failures. During an outage, River repeats itself
// every few seconds, and its errors quote the database URL. So riverLog writes only the messages, each at most once a
// minute.
type riverLog struct {
	logger *slog.Logger
	mu     *sync.Mutex
	logged map[string]time.Time
}

func newRiverLog(logger *slog.Logger) riverLog {
	return riverLog{logger: logger, mu: new(sync.Mutex), logged: make(map[string]time.Time)}
}

func (riverLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

func (l riverLog) Handle(ctx context.Context, r slog.Record) error {
	l.mu.Lock()
	last, known := l.logged[r.Message]
	repeated := known && r.Time.Sub(last) < riverLogPause
	if !repeated {
		l.logged[r.Message] = r.Time
	}
	l.mu.Unlock()
	if !repeated {
		l.logger.WarnContext(ctx, "background work fails", slog.String("while", r.Message))
	}
	return nil
}

func (l riverLog) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l riverLog) WithGroup(string) slog.Handler      { return l }
