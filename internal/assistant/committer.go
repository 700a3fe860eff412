package assistant

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/store"
)

const (
	// commitInterval is the least time between two group commits: so many deltas, of all responses of a replica, share
	// one statement.
	commitInterval = 10 * time.Millisecond
	// commitPause is the wait after a commit that failed because of the database.
	commitPause = 250 * time.Millisecond
	// commitTimeout bounds one commit.
	commitTimeout = 5 * time.Second
	// maxBatch bounds the responses of one commit.
	maxBatch = 500

	leaseDuration = 15 * time.Second
)

// committer writes the deltas of all responses that this replica owns, and publishes each once it is committed. It is
// one goroutine: it takes everything that is pending, merges it to one delta for a response, writes that in one
// statement, publishes it, and begins again. The first delta of a response so goes at once, and a busy replica makes at
// most one commit in commitInterval.
type committer struct {
	// store has connections of its own: a commit must not wait behind requests.
	store   sqlc.Querier
	ownerID uuid.UUID
	encode  func(Event) []byte
	metrics *engineMetrics
	logger  *slog.Logger
	wake    chan struct{}

	mu    sync.Mutex
	dirty map[*owner]struct{}
}

func newCommitter(
	s sqlc.Querier, ownerID uuid.UUID, encode func(Event) []byte, counters *engineMetrics, logger *slog.Logger,
) *committer {
	return &committer{
		store: s, ownerID: ownerID, encode: encode, metrics: counters, logger: logger,
		wake: make(chan struct{}, 1), dirty: make(map[*owner]struct{}),
	}
}

// add hands a piece of text over. It does not wait.
func (c *committer) add(o *owner, text string) {
	o.mu.Lock()
	o.pending = append(o.pending, text...)
	o.mu.Unlock()
	c.markDirty(o)
}

func (c *committer) markDirty(owners ...*owner) {
	c.mu.Lock()
	for _, o := range owners {
		c.dirty[o] = struct{}{}
	}
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// run commits until ctx ends.
func (c *committer) run(ctx context.Context) {
	committing := outage{what: "committing deltas", logger: c.logger}
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		}
		begin := time.Now()
		pause := commitInterval
		err := c.commit(ctx)
		committing.note(ctx, err)
		if err != nil {
			pause = commitPause
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause - time.Since(begin)):
		}
	}
}

// piece is one response's share of a group commit.
type piece struct {
	owner *owner
	delta Delta
}

// commit writes everything that is pending. What could not be written stays pending.
func (c *committer) commit(ctx context.Context) error {
	batch := c.take()
	if len(batch) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	params := sqlc.CommitDeltasParams{OwnerID: c.ownerID, LeaseSeconds: int32(leaseDuration.Seconds())}
	for _, p := range batch {
		params.Ids = append(params.Ids, p.delta.ID.ResponseID)
		params.Attempts = append(params.Attempts, p.owner.response.Attempt)
		params.Seqs = append(params.Seqs, p.delta.ID.Seq)
		params.Contents = append(params.Contents, p.delta.Content)
	}
	begin := time.Now()
	committed, err := c.store.CommitDeltas(ctx, params)
	c.metrics.committed(len(batch), begin)
	var again []*owner
	var settled error
	for id, p := range batch {
		switch {
		case err != nil:
			again = append(again, p.owner)
		case slices.Contains(committed, id):
			c.publish(p)
		default:
			settled = errors.Join(settled, c.settle(ctx, p))
		}
	}
	if len(again) > 0 {
		c.markDirty(again...)
	}
	return errors.Join(err, settled)
}

// take returns what is pending, merged to one delta for a response.
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
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
	return batch
}

// publish hands a committed delta to the readers.
func (c *committer) publish(p piece) {
	p.owner.feed.publish(Entry{Event: p.delta, Frame: c.encode(p.delta)})
	if p.delta.ID.Seq == p.owner.response.LastSeq+1 {
		c.metrics.firstToken.UpdateDuration(p.owner.began)
	}
	if p.owner.committed() {
		c.markDirty(p.owner)
	}
}

// settle finds out why a delta was not taken. Either an earlier try of the same commit went through unheard; or the
// database has crashed and lost deltas that were published, which are put back; or the response is no longer ours.
func (c *committer) settle(ctx context.Context, p piece) error {
	o := p.owner
	row, err := c.store.GetAIResponse(ctx, o.response.ID)
	if errors.Is(err, store.ErrNoRows) {
		o.lose()
		return nil
	}
	if err != nil {
		c.markDirty(o)
		return err
	}
	mine := row.Status == sqlc.AIResponseStatusStreaming && row.OwnerID != nil && *row.OwnerID == c.ownerID && row.Attempt == o.response.Attempt
	switch {
	case mine && row.LastSeq == p.delta.ID.Seq:
		c.publish(p)
	case mine && row.LastSeq < p.delta.ID.Seq-1:
		c.markDirty(o)
		_, err := c.restore(ctx, c.store, o, row.LastSeq)
		return err
	default:
		o.lose()
	}
	return nil
}

// restore puts the deltas back that were published after lastSeq, where the log ends since the database has crashed. It
// reports whether it did: what is no longer this owner's stays as it is.
func (c *committer) restore(ctx context.Context, q sqlc.Querier, o *owner, lastSeq int64) (restored bool, err error) {
	params := sqlc.RestoreAIResponseEventsParams{
		ID: o.response.ID, OwnerID: c.ownerID, Attempt: o.response.Attempt, LogSeq: lastSeq,
	}
	for _, delta := range o.feed.deltasAfter(lastSeq) {
		params.Seqs = append(params.Seqs, delta.ID.Seq)
		params.Contents = append(params.Contents, delta.Content)
		params.LastSeq = delta.ID.Seq
	}
	if len(params.Seqs) == 0 {
		return false, nil
	}
	n, err := q.RestoreAIResponseEvents(ctx, params)
	return n > 0, err
}

// watch keeps the leases of the owners, and tells those that have lost theirs. The whole replica asks once.
func (c *committer) watch(ctx context.Context, owners []*owner, renew bool) error {
	if len(owners) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	byID := make(map[uuid.UUID]*owner, len(owners))
	attempts := make([]int32, 0, len(owners))
	for _, o := range owners {
		byID[o.response.ID] = o
	}
	ids := slices.Collect(maps.Keys(byID))
	for _, id := range ids {
		attempts = append(attempts, byID[id].response.Attempt)
	}
	kept, err := c.stillMine(ctx, ids, attempts, renew)
	if err != nil {
		return err
	}
	for _, id := range kept {
		delete(byID, id)
	}
	for _, o := range byID {
		o.lose()
	}
	return nil
}

func (c *committer) stillMine(ctx context.Context, ids []uuid.UUID, attempts []int32, renew bool) ([]uuid.UUID, error) {
	if !renew {
		return c.store.ListOwnedAIResponses(ctx, sqlc.ListOwnedAIResponsesParams{
			Ids: ids, Attempts: attempts, OwnerID: c.ownerID,
		})
	}
	return c.store.RenewAIResponseLeases(ctx, sqlc.RenewAIResponseLeasesParams{
		Ids: ids, Attempts: attempts, OwnerID: c.ownerID, LeaseSeconds: int32(leaseDuration.Seconds()),
	})
}
