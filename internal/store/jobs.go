package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
)

// JobClient is River on the connections of a Store.
type JobClient = river.Client[pgx.Tx]

// errNoTransaction means that a job would not commit together with the change that it belongs to.
var errNoTransaction = errors.New("store: jobs are inserted and finished in a transaction")

// PollsForJobs reports whether River polls for new jobs on this Store instead of listening: behind a pooler, and with a
// small pool, where listening would take one of few connections.
func (s *Store) PollsForJobs() bool { return s.pooler || s.reserved.pool == s.db.pool }

// NewJobClient returns River on the Store's connections.
func (s *Store) NewJobClient(config *river.Config) (*JobClient, error) {
	config.PollOnly = s.PollsForJobs()
	return river.NewClient(riverpgxv5.New(s.db.pool), config)
}

// InsertJobs adds jobs in the context's transaction.
func (s *Store) InsertJobs(ctx context.Context, client *JobClient, jobs []river.InsertManyParams) error {
	tx, err := s.jobTx(ctx)
	if err != nil {
		return err
	}
	_, err = client.InsertManyTx(ctx, tx, jobs)
	return translate(err)
}

// FinishJob marks the job as done in the context's transaction, which is its worker's.
func FinishJob[T river.JobArgs](ctx context.Context, s *Store, job *river.Job[T]) error {
	tx, err := s.jobTx(ctx)
	if err != nil {
		return err
	}
	_, err = river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
	return translate(err)
}

func (s *Store) jobTx(ctx context.Context) (pgx.Tx, error) {
	if u := s.unit(ctx); u != nil {
		if t, ok := u.db.(*transaction); ok {
			return jobTx{t: t}, nil
		}
	}
	return nil, errNoTransaction
}

// jobTx is a transaction for River's driver. River runs statements in it; the Store commits it.
type jobTx struct {
	pgx.Tx
	t *transaction
}

func (j jobTx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return j.t.Exec(ctx, sql, args...)
}

func (j jobTx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return j.t.Query(ctx, sql, args...)
}

func (j jobTx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return j.t.QueryRow(ctx, sql, args...)
}

func (j jobTx) Conn() *pgx.Conn { return j.t.conn.Conn() }
