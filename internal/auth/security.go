package auth

import (
	"context"
	"log/slog"

	"github.com/google/uuid"
)

// LogSecurity logs a security event on one line. The line holds ids, never an address, a password or a token. The nil
// account is left out.
func (s *Service) LogSecurity(ctx context.Context, level slog.Level, event string, account uuid.UUID, attrs ...slog.Attr) {
	attrs = append([]slog.Attr{slog.String("event", event)}, attrs...)
	if account != uuid.Nil {
		attrs = append(attrs, slog.Any("user_id", account))
	}
	s.logger.LogAttrs(ctx, level, "security", attrs...)
}
