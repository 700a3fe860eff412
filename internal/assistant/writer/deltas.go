package writer

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/store"
)

// deltas writes deltas to the logs of responses.
type deltas struct {
	// store has reserved connections, because a commit must not wait behind requests.
	store   sqlc.Querier
	ownerID uuid.UUID
	metrics *writerMetrics
}

// write commits the batch in one statement, and returns the fate of each piece. The committer calls it.
func (d deltas) write(ctx context.Context, batch map[uuid.UUID]piece) (map[uuid.UUID]fate, error) {
	params := sqlc.CommitDeltasParams{OwnerID: d.ownerID, LeaseSeconds: int32(LeaseDuration.Seconds())}
	for _, p := range batch {
		params.IDs = append(params.IDs, p.delta.ID.ResponseID)
		params.Attempts = append(params.Attempts, p.owner.response.Attempt)
		params.Seqs = append(params.Seqs, p.delta.ID.Seq)
		params.Contents = append(params.Contents, p.delta.Content)
	}
	begin := time.Now()
	written, err := d.store.CommitDeltas(ctx, params)
	d.metrics.committed(len(batch), begin)
	if err != nil {
		return nil, err
	}
	fates := make(map[uuid.UUID]fate, len(batch))
	for id, p := range batch {
		if slices.Contains(written, id) {
			fates[id] = inLog
			continue
		}
		var failure error
		fates[id], failure = d.settle(ctx, p)
		err = errors.Join(err, failure)
	}
	return fates, err
}

// settle finds out why a delta was not accepted. An earlier try of the same commit may have succeeded without a reply;
// or the database has crashed and lost published deltas, which settle puts back; or the response is no longer ours.
func (d deltas) settle(ctx context.Context, p piece) (fate, error) {
	row, err := d.store.GetAIResponse(ctx, p.owner.response.ID)
	if errors.Is(err, store.ErrNoRows) {
		return foreign, nil
	}
	if err != nil {
		return stillPending, err
	}
	mine := row.Status == sqlc.AIResponseStatusStreaming && row.OwnerID != nil && *row.OwnerID == d.ownerID &&
		row.Attempt == p.owner.response.Attempt
	switch {
	case mine && row.LastSeq == p.delta.ID.Seq:
		return inLog, nil
	case mine && row.LastSeq < p.delta.ID.Seq-1:
		_, err := putBack(ctx, d.store, p.owner, row.LastSeq)
		return stillPending, err
	default:
		return foreign, nil
	}
}

// putBack restores the deltas that were published after lastSeq, where the log ends after a crash of the database. It
// reports whether it did: it changes nothing if the response is no longer this owner's.
func putBack(ctx context.Context, q sqlc.Querier, o *owner, lastSeq int64) (done bool, err error) {
	params := sqlc.RestoreAIResponseEventsParams{
		ID: o.response.ID, OwnerID: o.id, Attempt: o.response.Attempt, LogSeq: lastSeq,
	}
	for _, delta := range o.feed.DeltasAfter(lastSeq) {
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
