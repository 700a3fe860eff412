package webhook

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/background"
	"github.com/supportbackend/support/internal/uuid7"
)

const (
	// passSize is how many entries one pass creates deliveries for, and passPause the minimum time between two passes.
	passSize  = 200
	passPause = 100 * time.Millisecond
	// passInterval is how often a replica looks for deliveries that are due when nothing new happens.
	passInterval = 5 * time.Second
	// measureInterval is how often a replica measures the age of the oldest delivery.
	measureInterval = 15 * time.Second
)

// Run creates deliveries for what happens on the desk until ctx ends. One replica does so at a time: the one that holds the
// cursor's lock.
func (s *Service) Run(ctx context.Context) {
	o := &background.Outage{While: "creating webhook deliveries", Logger: s.logger}
	var position int64
	var measured time.Time
	for work := true; ctx.Err() == nil; {
		var reached int64
		var more bool
		var err error
		if work {
			reached, more, err = s.Dispatch(ctx)
			position = max(position, reached)
		}
		if err == nil && time.Since(measured) > measureInterval {
			measured = time.Now()
			err = s.measure(ctx)
		}
		o.Note(ctx, err)
		wait := passPause
		if work = true; err != nil {
			wait = passInterval
		} else if !more {
			work = s.waitForWork(ctx, position)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// measure updates the age of the oldest delivery.
func (s *Service) measure(ctx context.Context) error {
	age, err := s.store.GetOldestPendingDelivery(ctx)
	if err == nil {
		s.metrics.oldest.Store(int64(age * float64(time.Second)))
	}
	return err
}

// waitForWork waits for an entry after the position, but not longer than passInterval, and reports whether a pass may have
// anything to do.
func (s *Service) waitForWork(ctx context.Context, position int64) bool {
	waiting, cancel := context.WithTimeout(ctx, passInterval)
	defer cancel()
	if s.journal.Wait(waiting, position) == nil {
		return true
	}
	work, err := s.store.CountWebhookWork(ctx)
	return err != nil || work > 0 // The pass reports the error, if it is still there.
}

// Dispatch makes one pass: it creates deliveries for the next entries and replays, and adds a job for each webhook with
// something to send. position is how far it has come, or 0 when another replica is making a pass. more reports whether
// entries are left.
func (s *Service) Dispatch(ctx context.Context) (position int64, more bool, err error) {
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		position, more = 0, false
		after, err := s.store.LockWebhookCursor(ctx)
		if isNoRow(err) {
			return nil
		}
		if err != nil {
			return err
		}
		entries, reached, err := s.dispatchEntries(ctx, after)
		if err != nil {
			return err
		}
		replays, err := s.replay(ctx)
		if err != nil {
			return err
		}
		position, more = reached, replays || entries == passSize
		due, err := s.store.ListDueWebhooks(ctx)
		if err != nil {
			return err
		}
		return s.enqueue(ctx, due...)
	})
	return position, more, err
}

// dispatchEntries creates deliveries for the next entries. It returns how many entries there were, and the last position.
func (s *Service) dispatchEntries(ctx context.Context, after int64) (entries int, position int64, err error) {
	matches, err := s.store.ListWebhookMatches(ctx, sqlc.ListWebhookMatchesParams{After: after, MaxRows: passSize})
	if err != nil || len(matches) == 0 {
		return 0, after, err
	}
	var wanted sqlc.CreateWebhookDeliveriesParams
	position = after
	for _, m := range matches {
		if m.Position > position {
			entries, position = entries+1, m.Position
		}
		if m.WebhookID != nil {
			add(&wanted, *m.WebhookID, m.Position, m.Type)
		}
	}
	if err := s.createDeliveries(ctx, wanted); err != nil {
		return 0, 0, err
	}
	return entries, position, s.store.UpdateWebhookCursor(ctx, position)
}

// replay creates the next deliveries of a replay, and reports whether there was one.
func (s *Service) replay(ctx context.Context) (more bool, err error) {
	hook, err := s.store.GetWebhookToReplay(ctx)
	if isNoRow(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	entries, err := s.store.ListReplayedEntries(ctx, sqlc.ListReplayedEntriesParams{
		First: *hook.ReplayPosition, Until: *hook.ReplayUntil, Types: hook.Types, MaxRows: passSize,
	})
	if err != nil {
		return false, err
	}
	var wanted sqlc.CreateWebhookDeliveriesParams
	for _, e := range entries {
		add(&wanted, hook.ID, e.Position, e.Type)
	}
	if err := s.createDeliveries(ctx, wanted); err != nil {
		return false, err
	}
	var next *int64
	if len(entries) == passSize {
		next = new(entries[passSize-1].Position + 1)
	}
	return true, s.store.UpdateWebhookReplay(ctx, sqlc.UpdateWebhookReplayParams{
		ID: hook.ID, Position: next, OldPosition: hook.ReplayPosition, OldUntil: hook.ReplayUntil,
	})
}

func add(p *sqlc.CreateWebhookDeliveriesParams, webhook uuid.UUID, position int64, kind string) {
	p.IDs = append(p.IDs, uuid7.New())
	p.WebhookIDs = append(p.WebhookIDs, webhook)
	p.Positions = append(p.Positions, position)
	p.Types = append(p.Types, kind)
}

func (s *Service) createDeliveries(ctx context.Context, p sqlc.CreateWebhookDeliveriesParams) error {
	if len(p.IDs) == 0 {
		return nil
	}
	return s.store.CreateWebhookDeliveries(ctx, p)
}
