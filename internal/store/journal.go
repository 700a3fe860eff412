package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// entering are the table to which every entry of the journal is added first, and the functions that add to it.
var entering = []string{"journal_outbox", "add_message(", "sla_sweep("}

// addsToJournal reports whether a statement may add entries to the journal.
func addsToJournal(sql string) bool {
	return slices.ContainsFunc(entering, func(name string) bool { return strings.Contains(sql, name) })
}

// Journaled holds a token when this Store has committed entries since the last token was taken. It is for one receiver.
func (s *Store) Journaled() <-chan struct{} { return s.db.journaled }

func (p pooled) noteCommitted(journaled bool) {
	if !journaled {
		return
	}
	select {
	case p.journaled <- struct{}{}:
	default:
	}
}

// Listen calls heard with what is notified on the channel, and with nothing as soon as it listens, until ctx ends or the
// connection breaks, and returns why. It has a connection of its own, outside of the pools, and cannot hear behind a pooler
// (IsPooled).
func (s *Store) Listen(ctx context.Context, channel string, heard func(payload string)) error {
	conn, err := pgx.ConnectConfig(ctx, s.db.pool.Config().ConnConfig)
	if err != nil {
		return unavailable(outageOf(err, s.db.addr))
	}
	defer func() {
		closing, cancel := bound(ctx, time.Now().Add(closeTimeout))
		defer cancel()
		_ = conn.Close(closing) // It ends in any case.
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
		return translate(err)
	}
	heard("")
	for {
		notification, err := conn.WaitForNotification(ctx)
		if err != nil {
			return translate(err)
		}
		heard(notification.Payload)
	}
}
