package main

import (
	"io"
	"log/slog"
	"unicode/utf8"

	"github.com/supportbackend/support/internal/config"
)

const (
	// maxLogValue bounds the size of one attribute; stacks may be longer.
	maxLogValue = 256
	stackKey    = "stack"
)

// newLogger returns a logger that writes lines of JSON, or of text for terminals.
func newLogger(w io.Writer, cfg config.Config) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel, ReplaceAttr: replaceAttr}
	if cfg.LogFormat == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// replaceAttr writes times in UTC and durations as numbers of milliseconds, which can be added up and compared, and cuts
// long values.
func replaceAttr(_ []string, a slog.Attr) slog.Attr {
	value := a.Value.Resolve()
	switch value.Kind() {
	case slog.KindTime:
		return slog.Time(a.Key, value.Time().UTC())
	case slog.KindDuration:
		return slog.Float64(a.Key, float64(value.Duration().Microseconds())/1000)
	case slog.KindString:
		if a.Key != stackKey {
			return slog.String(a.Key, cut(value.String()))
		}
	case slog.KindAny:
		if err, ok := value.Any().(error); ok {
			return slog.String(a.Key, cut(err.Error()))
		}
	}
	return a
}

// cut shortens s to maxLogValue bytes, at a character's boundary.
func cut(s string) string {
	if len(s) <= maxLogValue {
		return s
	}
	end := maxLogValue
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}
