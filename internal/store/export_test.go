package store

import "context"

// Setting returns a run-time parameter of one of the store's own sessions.
func Setting(ctx context.Context, s *Store, name string) (value string, err error) {
	err = s.db.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&value)
	return value, err
}
