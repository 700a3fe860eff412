package background_test

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/background"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// period is longer than the test.
const period = 1000 * time.Hour

// run runs the jobs of one replica until stop is called.
func run(t *testing.T, jobs *background.Jobs) (stop func()) {
	t.Helper()
	require.NoError(t, jobs.Open(true))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { jobs.Run(ctx) })
	stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	t.Cleanup(stop)
	return stop
}

func newJobs(s *store.Store) *background.Jobs {
	return background.NewJobs(s, slog.New(slog.DiscardHandler))
}

func TestTaskRunsOncePerPeriodOverAllReplicas(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	var runs atomic.Int32
	ran := make(chan struct{}, 10)
	task := background.Task{Name: "count", Every: period, Do: func(context.Context) error {
		runs.Add(1)
		ran <- struct{}{}
		return nil
	}}
	first := newJobs(storetest.Open(t, url))
	first.Repeat(task)
	stop := run(t, first)
	<-ran
	stop()

	// The next leader inserts all tasks immediately, but the database already has this period's task.
	marked := make(chan struct{}, 10)
	second := newJobs(storetest.Open(t, url))
	second.Repeat(task, background.Task{Name: "mark", Every: period, Do: func(context.Context) error {
		marked <- struct{}{}
		return nil
	}})
	run(t, second)
	<-marked
	require.EqualValues(t, 1, runs.Load())
	require.Equal(t, 2, storetest.QueryInt(t, url, "SELECT count(*) FROM river_job"))
}

func TestTaskThatTakesLongerThanItsPeriodIsLogged(t *testing.T) {
	t.Parallel()
	log := make(lines, 10)
	jobs := background.NewJobs(storetest.New(t), slog.New(slog.NewTextHandler(log, nil)))
	var runs atomic.Int32
	jobs.Repeat(background.Task{Name: "crawl", Every: time.Second, Do: func(ctx context.Context) error {
		if runs.Add(1) == 1 {
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}})
	run(t, jobs)
	require.Contains(t, <-log, `level=WARN msg="background work fails" while=crawl error="it takes longer than its period`)
	require.Contains(t, <-log, `msg="background work succeeds again" while=crawl`)
}

// lines receives the lines of a log.
type lines chan string

func (l lines) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

type stepArgs struct {
	Step int `json:"step"`
}

func (stepArgs) Kind() string { return "step" }

// stepper does a step, and inserts a job for the next one.
type stepper struct {
	river.WorkerDefaults[stepArgs]
	store *store.Store
	jobs  *background.Jobs
	fail  atomic.Bool
	done  chan int
}

func (w *stepper) Work(ctx context.Context, job *river.Job[stepArgs]) error {
	if job.Args.Step == 3 {
		w.done <- job.Args.Step
		return nil
	}
	return w.store.InTx(ctx, func(ctx context.Context) error {
		next := river.InsertManyParams{Args: stepArgs{job.Args.Step + 1}, InsertOpts: &river.InsertOpts{Queue: "steps"}}
		if err := w.jobs.Insert(ctx, next); err != nil {
			return err
		}
		if err := store.FinishJob(ctx, w.store, job); err != nil {
			return err
		}
		if w.fail.CompareAndSwap(true, false) {
			return errBroken // The next job is not inserted, and this job gets another attempt.
		}
		return nil
	})
}

func (*stepper) NextRetry(*river.Job[stepArgs]) time.Time { return time.Now() }

func TestJobsAreInsertedAndFinishedInTheTransaction(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	// With so few connections, River polls every second. Nothing notifies it of a job's next attempt.
	s, err := store.Open(t.Context(), store.Config{URL: url, MaxConns: 4, Lazy: true})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	jobs := newJobs(s)
	w := &stepper{store: s, jobs: jobs, done: make(chan int, 10)}
	w.fail.Store(true)
	background.AddWorker(jobs, w, "steps", 2)
	stop := run(t, jobs)
	insert := river.InsertManyParams{Args: stepArgs{1}, InsertOpts: &river.InsertOpts{Queue: "steps"}}
	require.Error(t, jobs.Insert(t.Context(), insert), "without a transaction")
	require.ErrorIs(t, s.InTx(t.Context(), func(ctx context.Context) error {
		require.NoError(t, jobs.Insert(ctx, insert))
		return errBroken
	}), errBroken)
	require.NoError(t, s.InTx(t.Context(), func(ctx context.Context) error { return jobs.Insert(ctx, insert) }))
	require.Equal(t, 3, <-w.done)
	stop()
	require.Equal(t, 3, storetest.QueryInt(t, url, "SELECT count(*) FROM river_job WHERE state = 'completed'"))
	require.Equal(t, 3, storetest.QueryInt(t, url, "SELECT count(*) FROM river_job"))
}

func TestReplicaWithoutWorkersLeavesJobsToOthers(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	idle := newJobs(storetest.Open(t, url))
	idle.Repeat(background.Task{Name: "never", Every: period, Do: func(context.Context) error {
		t.Error("the replica ran a job")
		return nil
	}})
	require.NoError(t, idle.Open(false))
	idle.Run(t.Context())
	require.Zero(t, storetest.QueryInt(t, url, "SELECT count(*) FROM river_job"))
}

func TestJobsBeginWhenTheDatabaseIsReady(t *testing.T) {
	t.Parallel()
	url := storetest.NewEmptyURL(t)
	var log bytes.Buffer
	jobs := background.NewJobs(storetest.Open(t, url), slog.New(slog.NewTextHandler(&log, nil)))
	ran := make(chan struct{}, 10)
	jobs.Repeat(background.Task{Name: "mark", Every: period, Do: func(context.Context) error {
		ran <- struct{}{}
		return nil
	}})
	stop := run(t, jobs)
	m, err := store.OpenMigrator(url)
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	require.NoError(t, m.Up())
	<-ran
	stop()
	require.NotContains(t, log.String(), "postgres", "River's errors are not logged")
}
