package store

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// openAfter is how long a caller waits for a connection of others before it has one opened.
	openAfter = 10 * time.Millisecond
	// maxOpening bounds the connections that are opened for callers at a time.
	maxOpening = 2
	// openTimeout bounds opening one.
	openTimeout = connectTimeout + warmUpTimeout
)

// queue has callers wait for a connection that others give back before the pool opens one. To open one and plan its
// statements takes PostgreSQL 60 ms of CPU time, and a usual statement less than 1 ms. The pool alone would open one for
// each caller of a burst at once.
type queue struct {
	pool      *pgxpool.Pool
	openAfter time.Duration
	waiting   atomic.Int64
	// freed receives a token for a connection that is given back while somebody waits.
	freed chan struct{}
	// opening holds a token for each connection that is being opened.
	opening chan struct{}
	// waits counts the waits, and waited their time in nanoseconds.
	waits, waited atomic.Int64
}

func newQueue(pool *pgxpool.Pool) *queue {
	return &queue{
		pool: pool, openAfter: openAfter,
		freed: make(chan struct{}, pool.Stat().MaxConns()), opening: make(chan struct{}, maxOpening),
	}
}

// take returns a connection, as the pool's Acquire does.
func (q *queue) take(ctx context.Context) (*pgxpool.Conn, error) {
	stat := q.pool.Stat()
	none := stat.IdleConns()+stat.AcquiredConns() == 0
	if none || stat.IdleConns() > 0 && q.waiting.Load() == 0 {
		return q.pool.Acquire(ctx)
	}
	begin := time.Now()
	q.waiting.Add(1)
	defer func() {
		q.waiting.Add(-1)
		q.waits.Add(1)
		q.waited.Add(int64(time.Since(begin)))
	}()
	if q.hasIdle() {
		q.tell() // It was given back before there was somebody who waits.
	}
	return q.wait(ctx)
}

func (q *queue) hasIdle() bool { return q.pool.Stat().IdleConns() > 0 }

func (q *queue) wait(ctx context.Context) (*pgxpool.Conn, error) {
	patience := time.NewTimer(q.openAfter)
	defer patience.Stop()
	var opening chan<- struct{}
	var opened <-chan acquired
	done := make(chan struct{})
	defer close(done)
	for {
		select {
		case <-q.freed:
			if q.hasIdle() {
				return q.pool.Acquire(ctx)
			}
		case <-patience.C:
			opening = q.opening
		case opening <- struct{}{}:
			opening, opened = nil, q.open(ctx, done)
		case result := <-opened:
			return result.conn, result.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// acquired is the result of the pool's Acquire.
type acquired struct {
	conn *pgxpool.Conn
	err  error
}

// open gets the pool to open a connection. If the caller is done first, the connection is for others.
func (q *queue) open(ctx context.Context, done <-chan struct{}) <-chan acquired {
	opened := make(chan acquired)
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), openTimeout)
		defer cancel()
		conn, err := q.pool.Acquire(ctx)
		<-q.opening
		select {
		case opened <- acquired{conn, err}:
		case <-done:
			if err == nil {
				q.giveBack(conn)
			}
		}
	}()
	return opened
}

// giveBack gives a connection back to the pool, and tells a caller who waits.
func (q *queue) giveBack(conn *pgxpool.Conn) {
	conn.Release()
	if q.waiting.Load() > 0 {
		q.tell()
	}
}

// tell tells a caller who waits that a connection may be idle.
func (q *queue) tell() {
	select {
	case q.freed <- struct{}{}:
	default:
	}
}
