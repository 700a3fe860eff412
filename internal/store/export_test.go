package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Translate returns the store's error for an error of the driver.
func Translate(err error) error { return translate(err) }

// QueryRow runs any query like one of the store's own.
func QueryRow(ctx context.Context, s *Store, sql string, args ...any) pgx.Row {
	return joining{s}.QueryRow(ctx, sql, args...)
}

// Setting returns a run-time parameter of one of the store's own sessions.
func Setting(ctx context.Context, s *Store, name string) (value string, err error) {
	err = QueryRow(ctx, s, "SELECT current_setting($1)", name).Scan(&value)
	return value, err
}

// ReservedSetting returns a run-time parameter of one of the reserved sessions.
func ReservedSetting(ctx context.Context, s *Store, name string) (value string, err error) {
	err = s.reserved.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&value)
	return value, err
}

// AddsToJournal reports whether the commit of a statement wakes the sequencer.
func AddsToJournal(sql string) bool { return addsToJournal(sql) }

// SetOpenAfter sets how long a caller waits for a connection of others before the store opens one.
func SetOpenAfter(s *Store, wait time.Duration) { s.db.queue.openAfter = wait }

// Waiting returns how many callers wait for a connection.
func Waiting(s *Store) int64 { return s.db.queue.waiting.Load() }
