package writer

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant/upstream"
	"github.com/supportbackend/support/internal/background"
	"github.com/supportbackend/support/internal/store"
)

const (
	// MaxAttempts is how many owners of a response may crash before it fails.
	MaxAttempts = 3

	// reapInterval is how often the reaper looks for responses without a writer. With LeaseDuration, an answer stalls
	// for at most 17 seconds.
	reapInterval = 2 * time.Second

	// abandonedAfter is how long a response waits to be taken over. If answers are off on all replicas, nobody does.
	abandonedAfter = 5 * time.Minute

	// unknownAfter is how long this replica's response may stall before the replica takes it up, if it does not know of
	// it because the reply to its claim was lost.
	unknownAfter = 3 * time.Second

	// unknownLeaseSeconds is how long the lease of such a response still is.
	unknownLeaseSeconds = int32((LeaseDuration - unknownAfter) / time.Second)
)

// reaper takes over responses whose owner is gone.
type reaper struct {
	store   *store.Store
	ownerID uuid.UUID
	roster  *roster
	// enabled means that answers are on.
	enabled bool
	// conversation returns the input of an answer, and begin starts writing it.
	conversation func(ctx context.Context, response sqlc.AIResponse) (upstream.Conversation, error)
	begin        func(ctx context.Context, response sqlc.AIResponse, c upstream.Conversation) error
	metrics      *writerMetrics
	logger       *slog.Logger
}

// run takes responses over until ctx ends.
func (r *reaper) run(ctx context.Context) {
	background.Every(ctx, reapInterval, &background.Outage{While: "taking over answers", Logger: r.logger}, r.takeOver)
}

// takeOver starts abandoned responses again, one by one, and fails those that nobody could finish.
func (r *reaper) takeOver(ctx context.Context) error {
	if stalled, err := r.store.CountStalledAIResponses(ctx, unknownLeaseSeconds); err != nil || stalled == 0 {
		return err
	}
	for more := true; more; {
		if !r.roster.admit() {
			return nil // Another replica takes it over or fails it.
		}
		var err error
		more, err = r.takeOverOne(ctx)
		r.roster.done()
		if err != nil {
			return err
		}
	}
	_, err := r.store.FailAbandonedAIResponses(ctx, sqlc.FailAbandonedAIResponsesParams{
		ErrorCode: string(apperr.AITimeout), MaxAttempts: MaxAttempts,
		AbandonedSeconds: int32(abandonedAfter.Seconds()),
	})
	return err
}

func (r *reaper) takeOverOne(ctx context.Context) (more bool, err error) {
	if !r.enabled || r.roster.isFull() {
		return false, nil // Another replica takes it over.
	}
	id, err := r.store.TakeOverAIResponse(ctx, sqlc.TakeOverAIResponseParams{
		OwnerID: r.ownerID, LeaseSeconds: int32(LeaseDuration.Seconds()), MaxAttempts: MaxAttempts,
		Known: r.roster.known(), UnknownLeaseSeconds: unknownLeaseSeconds,
	})
	if errors.Is(err, store.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	response, err := r.store.GetAIResponse(ctx, id)
	if err != nil {
		return false, err
	}
	c, err := r.conversation(ctx, response)
	if err != nil {
		return false, err
	}
	r.metrics.takeovers.Inc()
	r.logger.InfoContext(ctx, "ai response taken over", slog.Any("ai_response_id", id),
		slog.Int("attempt", int(response.Attempt)))
	return true, r.begin(ctx, response, c)
}
