package writer

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/internal/assistant/eventlog"
	"github.com/supportbackend/support/internal/background"
)

const (
	// minInterval and maxInterval bound the time between the beginnings of two group commits. In between, it is
	// minInterval for each response of the first one: the more responses run, the more deltas share a commit.
	minInterval = 2 * time.Millisecond
	maxInterval = 10 * time.Millisecond
	// timerGrain is how long the shortest timer of an idle process takes on Linux.
	timerGrain = time.Millisecond
	// commitPause is the wait after a failed commit.
	commitPause = 250 * time.Millisecond
	// commitTimeout bounds one commit.
	commitTimeout = 5 * time.Second
	// maxBatch bounds the responses of one commit.
	maxBatch = 500
)

// committer writes the deltas of all responses that this replica owns, and publishes each once it is committed. It is
// one goroutine: it takes everything pending, merges it into one delta per response, writes them in one statement,
// publishes them, and begins again. So a delta on an idle replica goes out at once, and a busy replica makes one commit
// per maxInterval. The committer sees the world through three functions.
type committer struct {
	// write commits a delta for each of many responses, and returns the fate of each. Pieces that it does not return
	// are still pending, and so are all when it fails.
	write func(ctx context.Context, batch map[uuid.UUID]piece) (map[uuid.UUID]fate, error)
	// publish passes a committed delta to the readers.
	publish func(o *owner, delta eventlog.Delta)
	// lost means that the response is no longer this owner's.
	lost func(o *owner)

	logger *slog.Logger
	wake   chan struct{}

	mu    sync.Mutex
	dirty map[*owner]struct{}
}

// piece is a response's part of a group commit.
type piece struct {
	owner *owner
	delta eventlog.Delta
}

// fate is the result of writing a piece.
type fate int

const (
	stillPending fate = iota // It must be tried again.
	inLog                    // It is committed.
	foreign                  // The response is no longer this owner's.
)

func newCommitter(
	write func(context.Context, map[uuid.UUID]piece) (map[uuid.UUID]fate, error),
	publish func(*owner, eventlog.Delta), lost func(*owner), logger *slog.Logger,
) *committer {
	return &committer{
		write: write, publish: publish, lost: lost, logger: logger,
		wake: make(chan struct{}, 1), dirty: make(map[*owner]struct{}),
	}
}

// add queues a piece of text. It does not wait.
func (c *committer) add(o *owner, text string) {
	o.add(text)
	c.markDirty(o)
}

func (c *committer) markDirty(o *owner) {
	c.mu.Lock()
	c.dirty[o] = struct{}{}
	c.mu.Unlock()
	c.wakeUp()
}

func (c *committer) wakeUp() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// run commits until ctx ends.
func (c *committer) run(ctx context.Context) {
	committing := background.Outage{While: "committing deltas", Logger: c.logger}
	var next time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		}
		if !sleepUntil(ctx, next) {
			return
		}
		begin := time.Now()
		responses, err := c.commit(ctx)
		committing.Note(ctx, err)
		pause := min(time.Duration(responses)*minInterval, maxInterval)
		if err != nil {
			pause = commitPause
		}
		next = begin.Add(pause)
	}
}

// sleepUntil returns false when ctx ends first. It does not wait for less than timerGrain.
func sleepUntil(ctx context.Context, t time.Time) bool {
	wait := time.Until(t)
	if wait < timerGrain {
		return true
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(wait):
		return true
	}
}

// commit writes everything pending, and returns of how many responses that was. What it cannot write stays pending.
func (c *committer) commit(ctx context.Context) (responses int, err error) {
	batch := c.take()
	if len(batch) == 0 {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	fates, err := c.write(ctx, batch)
	for id, p := range batch {
		switch fates[id] {
		case inLog:
			c.publish(p.owner, p.delta)
			if p.owner.committed() {
				c.markDirty(p.owner)
			}
		case foreign:
			c.lost(p.owner)
		case stillPending:
			c.markDirty(p.owner)
		}
	}
	return len(batch), err
}

// take returns everything pending, merged into one delta per response.
func (c *committer) take() map[uuid.UUID]piece {
	c.mu.Lock()
	defer c.mu.Unlock()
	batch := make(map[uuid.UUID]piece)
	for o := range c.dirty {
		if len(batch) == maxBatch {
			break
		}
		delete(c.dirty, o)
		if delta, ok := o.take(); ok {
			batch[delta.ID.ResponseID] = piece{owner: o, delta: delta}
		}
	}
	if len(c.dirty) > 0 {
		c.wakeUp()
	}
	return batch
}
