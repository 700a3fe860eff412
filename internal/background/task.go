package background

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"
)

// maxTaskTimeout and its period bound a task: a longer one continues in the next period.
const maxTaskTimeout = 5 * time.Minute

// errLate means that a task did not end in time. It may have done a part of its work, or nothing.
var errLate = errors.New("it takes longer than its period, or than 5 minutes")

// Task is periodic work, which one replica does once in each period.
type Task struct {
	// Name is unique among all tasks, for example "delete_expired_sessions".
	Name string
	// Every is the period, at least a second.
	Every time.Duration
	// Do does the work in pieces, so that a crash undoes only one of them.
	Do func(ctx context.Context) error
}

// taskArgs names a due task.
type taskArgs struct {
	Task string `json:"task"`
}

func (taskArgs) Kind() string { return "task" }

// periodic makes River insert exactly one job for each period of the task, across changes of the leader. A new leader
// inserts a missing job of the current period at once.
func (t Task) periodic() *river.PeriodicJob {
	return river.NewPeriodicJob(river.PeriodicInterval(t.Every), func() (river.JobArgs, *river.InsertOpts) {
		return taskArgs{Task: t.Name}, &river.InsertOpts{
			Queue: taskQueue, MaxAttempts: 1, // The next period is the next attempt.
			UniqueOpts: river.UniqueOpts{ByArgs: true, ByPeriod: t.Every},
		}
	}, &river.PeriodicJobOpts{ID: t.Name, RunOnStart: true})
}

// taskWorker runs due tasks.
type taskWorker struct {
	river.WorkerDefaults[taskArgs]
	tasks   map[string]Task
	outages map[string]*Outage
}

func (w *taskWorker) Timeout(job *river.Job[taskArgs]) time.Duration {
	return min(maxTaskTimeout, max(w.tasks[job.Args.Task].Every, time.Second))
}

func (w *taskWorker) Work(ctx context.Context, job *river.Job[taskArgs]) error {
	task, known := w.tasks[job.Args.Task]
	if !known {
		return fmt.Errorf("background: this release has no task %s", job.Args.Task)
	}
	err := task.Do(ctx)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = errLate
	}
	w.outages[task.Name].Note(ctx, err)
	return err
}
