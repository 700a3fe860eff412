package account

import (
	"context"
	"log/slog"

	"github.com/google/uuid"
)

// Security events are one log line each. They hold ids, never an address, a password or a token.

func (s *Service) info(ctx context.Context, event string, account uuid.UUID, attrs ...slog.Attr) {
	s.event(ctx, slog.LevelInfo, event, account, attrs...)
}

func (s *Service) warn(ctx context.Context, event string, account uuid.UUID, attrs ...slog.Attr) {
	s.event(ctx, slog.LevelWarn, event, account, attrs...)
}

func (s *Service) event(ctx context.Context, level slog.Level, event string, account uuid.UUID, attrs ...slog.Attr) {
	attrs = append([]slog.Attr{slog.String("event", event)}, attrs...)
	if account != uuid.Nil {
		attrs = append(attrs, slog.Any("user_id", account))
	}
	s.logger.LogAttrs(ctx, level, "security", attrs...)
}
