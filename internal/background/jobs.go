package background

import (
	"context"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/supportbackend/support/internal/store"
)

const (
	taskQueue = "tasks"
	// tasksAtOnce is how many tasks a replica runs at a time.
	tasksAtOnce = 2

	// pollInterval is how often a replica polls for jobs whose notification was lost. A replica that cannot listen polls for
	// all jobs, every unheardPollInterval.
	pollInterval        = 15 * time.Second
	unheardPollInterval = time.Second

	// jobTimeout bounds jobs whose worker sets no other limit. The jobs of a replica that is gone start again rescueAfter
	// after their first start, or up to half a minute later.
	jobTimeout  = 30 * time.Second
	rescueAfter = 35 * time.Second

	// jobRetention is how long finished jobs are kept, and stopTimeout how long running ones may take when the server stops.
	jobRetention = time.Hour
	stopTimeout  = 15 * time.Second

	// startInterval is how often a replica tries to start while the database is not ready.
	startInterval = time.Second
)

// Jobs runs work that all replicas share, on River: periodic tasks, and jobs that services insert. Add everything, then call Open
// and Run.
type Jobs struct {
	store   *store.Store
	logger  *slog.Logger
	tasks   taskWorker
	config  river.Config
	client  *store.JobClient
	working bool
}

// NewJobs returns Jobs without any work.
func NewJobs(s *store.Store, logger *slog.Logger) *Jobs {
	j := &Jobs{
		store: s, logger: logger,
		tasks: taskWorker{tasks: map[string]Task{}, outages: map[string]*Outage{}},
		config: river.Config{
			Workers: river.NewWorkers(), Queues: map[string]river.QueueConfig{taskQueue: {MaxWorkers: tasksAtOnce}},
			FetchPollInterval: pollInterval, JobTimeout: jobTimeout, RescueStuckJobsAfter: rescueAfter,
			CompletedJobRetentionPeriod: jobRetention, CancelledJobRetentionPeriod: jobRetention,
			DiscardedJobRetentionPeriod: jobRetention, SoftStopTimeout: stopTimeout,
			ReindexerSchedule: river.NeverSchedule(), // It would exceed the sessions' statement_timeout.
			Logger:            slog.New(newRiverLog(logger)), ErrorHandler: panicLog{logger},
		},
	}
	if s.PollsForJobs() {
		j.config.FetchPollInterval = unheardPollInterval
	}
	river.AddWorker(j.config.Workers, &j.tasks)
	return j
}

// Repeat adds tasks.
func (j *Jobs) Repeat(tasks ...Task) {
	for _, task := range tasks {
		j.tasks.tasks[task.Name] = task
		j.tasks.outages[task.Name] = &Outage{While: task.Name, Logger: j.logger}
		j.config.PeriodicJobs = append(j.config.PeriodicJobs, task.periodic())
	}
}

// AddWorker adds the worker for a kind of job. Each replica runs at most atOnce jobs of the queue at a time.
func AddWorker[T river.JobArgs](j *Jobs, worker river.Worker[T], queue string, atOnce int) {
	river.AddWorker(j.config.Workers, worker)
	j.config.Queues[queue] = river.QueueConfig{MaxWorkers: atOnce}
}

// Open prepares Jobs for Insert. If work is false, Run does nothing, and inserted jobs wait for another replica.
func (j *Jobs) Open(work bool) (err error) {
	config := j.config
	if j.working = work; !work {
		config.Queues, config.PeriodicJobs = nil, nil
	}
	j.client, err = j.store.NewJobClient(&config)
	return err
}

// Insert adds jobs in the transaction that the context carries. They exist once it is committed.
func (j *Jobs) Insert(ctx context.Context, jobs ...river.InsertManyParams) error {
	return j.store.InsertJobs(ctx, j.client, jobs)
}

// Run works until ctx ends. Jobs that are running then may take a few seconds longer.
func (j *Jobs) Run(ctx context.Context) {
	if !j.working {
		return
	}
	o := &Outage{While: "starting background work", Logger: j.logger}
	for {
		err := j.store.Ready(ctx)
		if err == nil {
			err = j.client.Start(ctx)
		}
		o.Note(ctx, err)
		if err == nil {
			break
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(startInterval):
		}
	}
	<-j.client.Stopped()
}

// panicLog logs the panics of workers. It does not log the errors that they return: their packages do.
type panicLog struct{ logger *slog.Logger }

func (panicLog) HandleError(context.Context, *rivertype.JobRow, error) *river.ErrorHandlerResult {
	return nil
}

func (l panicLog) HandlePanic(ctx context.Context, job *rivertype.JobRow, value any, trace string) *river.ErrorHandlerResult {
	l.logger.ErrorContext(ctx, "panic in background work", slog.String("job", job.Kind), slog.Any("panic", value),
		slog.String("stack", trace))
	return nil
}
