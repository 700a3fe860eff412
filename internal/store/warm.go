package store

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/supportbackend/support/gen/sqlc"
)

const (
	// warmUpTimeout bounds warming up one connection, and opening those that are missing.
	warmUpTimeout = 2 * time.Second
	// warmConns is how many connections WarmUp leaves in a pool.
	warmConns = 2
)

// warmUp plans statements on connections before they are used. PostgreSQL plans a statement for each connection, and a
// large one takes ten times as long to plan as to run.
type warmUp struct {
	// plan runs the statements; nil until Store.WarmUp.
	plan atomic.Pointer[func(context.Context, sqlc.Querier)]
}

// WarmUp opens connections for the first burst, and calls plan with each idle connection and, from now on, with each new
// one before its first use. The statements of plan must change nothing. They get plans that fit all values of their
// parameters, as after LockTicketAhead, and their errors do not matter. WarmUp does nothing behind a pooler, where
// statements are not prepared, or for a Lazy Store.
func (s *Store) WarmUp(ctx context.Context, plan func(context.Context, sqlc.Querier)) {
	if s.cold {
		return
	}
	s.db.warmIdle(ctx, plan)
	if s.reserved.pool != s.db.pool {
		s.reserved.warmIdle(ctx, plan)
	}
}

func (p pooled) warmIdle(ctx context.Context, plan func(context.Context, sqlc.Querier)) {
	p.warm.plan.Store(&plan)
	idle := p.pool.AcquireAllIdle(ctx)
	for _, conn := range p.openMore(ctx, warmConns-len(idle)) {
		p.giveBack(ctx, conn, nil)
	}
	for _, conn := range idle {
		p.giveBack(ctx, conn, p.warm.connection(ctx, conn.Conn()))
	}
}

// openMore opens this many connections while all idle ones are acquired, or fewer if the pool is full.
func (p pooled) openMore(ctx context.Context, count int) (conns []*pgxpool.Conn) {
	ctx, cancel := context.WithTimeout(ctx, warmUpTimeout)
	defer cancel()
	for stat := p.pool.Stat(); len(conns) < min(count, int(stat.MaxConns()-stat.TotalConns())); {
		conn, err := p.pool.Acquire(ctx)
		if err != nil {
			break
		}
		conns = append(conns, conn)
	}
	return conns
}

// connection warms a connection up. Its error means that the connection is broken.
func (w *warmUp) connection(ctx context.Context, conn *pgx.Conn) error {
	plan := w.plan.Load()
	if plan == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, warmUpTimeout)
	defer cancel()
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	// A migration may hold locks, and the statements can also be planned later.
	const settings = "SELECT set_config('plan_cache_mode', 'force_generic_plan', true), set_config('lock_timeout', '100ms', true)"
	if _, err := tx.Exec(ctx, settings); err == nil {
		(*plan)(ctx, sqlc.New(tx))
	}
	return tx.Rollback(ctx)
}
