package background

import (
	"context"
	"fmt"
	"time"

	"github.com/riverqueue/river"
)

// maxTaskTimeout bounds a task, and so does its period: a longer one goes on in the next period.
const maxTaskTimeout = 5 * time.Minute

// Task is periodic work: one replica does it, once in each period.
type Task struct {
	// Name is unique among all tasks, such as "delete_expired_sessions".
	Name string
	// Every is the period: a second or more.
	Every time.Duration
	// Do does the work, in pieces that a crash may undo one at a time.
	Do func(ctx context.Context) error
}

// taskArgs names a task that is due.
type taskArgs struct {
	Task string `json:"task"`
}

func (taskArgs) Kind() string { return "task" }

// periodic makes River insert a job for each period of the task, and at most one, whoever leads. A new leader does not wait
// for the end of a period of which it has seen no job.
func (t Task) periodic() *river.PeriodicJob {
	return river.NewPeriodicJob(river.PeriodicInterval(t.Every), func() (river.JobArgs, *river.InsertOpts) {
		return taskArgs{Task: t.Name}, &river.InsertOpts{
			Queue: taskQueue, MaxAttempts: 1, // The next period is the next attempt.
			UniqueOpts: river.UniqueOpts{ByArgs: true, ByPeriod: t.Every},
		}
	}, &river.PeriodicJobOpts{ID: t.Name, RunOnStart: true})
}

// taskWorker runs the tasks that are due.
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
	w.outages[task.Name].Note(ctx, err)
	return err
}
