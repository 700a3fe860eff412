package journal

import (
	"context"
	"time"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/background"
)

const (
	// maxBatch is how many entries are moved at a time.
	maxBatch = 1000
	// A sequencer rests for at least minPause, and busyShare times as long as it has worked. So it takes a bounded share of
	// the database's time, and batches grow under load: a batch alone costs as much as about 25 entries.
	minPause  = 20 * time.Millisecond
	busyShare = 2
	// idlePoll is how often a sequencer looks for entries of replicas that have stopped, and of commands. A replica that cannot
	// listen looks every readersPoll while it has waiting readers.
	idlePoll    = time.Second
	readersPoll = 50 * time.Millisecond
)

// sequence moves the entries that this replica commits as soon as they are there, and those that others have left every
// idlePoll.
func (s *Service) sequence(ctx context.Context) {
	outage := background.Outage{While: "moving entries to the journal", Logger: s.logger}
	more := true
	for ctx.Err() == nil {
		if !more {
			s.rest(ctx)
		}
		begin := time.Now()
		var err error
		more, err = s.move(ctx)
		outage.Note(ctx, err)
		pause(ctx, max(minPause, busyShare*time.Since(begin)))
	}
}

// rest waits until there may be something to do.
func (s *Service) rest(ctx context.Context) {
	timer := time.NewTimer(s.pollInterval())
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-s.store.Journaled():
	case <-s.head.unattended():
	case <-timer.C:
	}
}

func (s *Service) pollInterval() time.Duration {
	if s.head.mustPoll() {
		return readersPoll
	}
	return idlePoll
}

// move moves one batch. It reports whether there may be more to move at once: when the batch was full, or when another
// sequencer was at work, which may not have seen what this replica has just committed.
func (s *Service) move(ctx context.Context) (more bool, err error) {
	begin := time.Now()
	result, err := s.store.Reserved().SequenceJournal(ctx, sqlc.SequenceJournalParams{
		MaxRows: maxBatch, Notify: !s.store.IsPooled(),
	})
	if err != nil {
		return false, err
	}
	if len(result) == 0 {
		return true, nil
	}
	moved, head := result[0], result[1]
	s.head.set(head)
	if moved > 0 {
		s.metrics.moved(moved, begin)
	}
	return moved == maxBatch, nil
}

// pause waits, but not longer than ctx allows.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
