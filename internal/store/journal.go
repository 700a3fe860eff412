package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// entering names the table to which journal entries are added, and the SQL functions that add to it.
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

// Listen calls heard with each notification on the channel, and with "" as soon as it listens. It returns when ctx ends or
// the connection breaks. It has its own connection outside the pools, and does not work behind a pooler
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
