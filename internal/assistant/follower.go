package assistant

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
)

const (
	// followInterval is how often a replica asks for the events that others commit, for all its readers at once. It asks
	// only while it has such readers.
	followInterval = 100 * time.Millisecond
	// maxFollowed bounds the events of one question; what is left comes with the next.
	maxFollowed = 5000
)

// follow brings the events of responses that are written elsewhere to the readers here, until ctx ends.
func (s *Service) follow(ctx context.Context) {
	following := outage{what: "following events", logger: s.options.Logger}
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.hub.wanted:
		}
		for feeds := s.hub.followed(); len(feeds) > 0; feeds = s.hub.followed() {
			following.note(ctx, s.load(ctx, feeds))
			select {
			case <-ctx.Done():
				return
			case <-time.After(followInterval):
			}
		}
	}
}

// load reads the events that the feeds do not have yet and publishes them, those of a response together. The last event
// that a feed has is read as well, to see that it is still there.
func (s *Service) load(ctx context.Context, feeds map[*feed]int64) error {
	params := sqlc.ListAIResponseEventsParams{MaxRows: int32(maxFollowed + len(feeds))} //nolint:gosec // Few feeds.
	for f, lastSeq := range feeds {
		params.Ids = append(params.Ids, f.responseID)
		params.FromSeqs = append(params.FromSeqs, lastSeq)
	}
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	rows, err := s.store.ListAIResponseEvents(ctx, params)
	if err != nil {
		return err
	}
	entries := make(map[uuid.UUID][]Entry)
	for _, row := range rows {
		event, err := s.toEvent(ctx, row)
		if err != nil {
			return err
		}
		entries[row.AIResponseID] = append(entries[row.AIResponseID], s.entry(event))
	}
	var empty []*feed
	for f, lastSeq := range feeds {
		found := entries[f.responseID]
		if len(found) == 0 && len(rows) == int(params.MaxRows) {
			continue // It may have been cut off.
		}
		if lastSeq == 0 && len(found) == 0 {
			empty = append(empty, f)
		}
		f.merge(lastSeq, found)
	}
	return s.endGone(ctx, empty)
}

// endGone ends the feeds whose responses are gone: erased, or lost when another database took over. Their logs are empty,
// and so is that of a response which has not begun.
func (s *Service) endGone(ctx context.Context, feeds []*feed) error {
	if len(feeds) == 0 {
		return nil
	}
	ids := make([]uuid.UUID, len(feeds))
	for i, f := range feeds {
		ids[i] = f.responseID
	}
	existing, err := s.store.ListExistingAIResponses(ctx, ids)
	if err != nil {
		return err
	}
	for _, f := range feeds {
		if !slices.Contains(existing, f.responseID) {
			f.publish(s.entry(Failed{ID: EventID{ResponseID: f.responseID, Seq: 1, Attempt: 1}, Err: failureWith(apperr.Internal)}))
		}
	}
	return nil
}

func (s *Service) toEvent(ctx context.Context, row sqlc.AIResponseEvent) (Event, error) {
	id := EventID{ResponseID: row.AIResponseID, Seq: row.Seq, Attempt: row.Attempt}
	switch row.Kind {
	case sqlc.AIEventKindDelta:
		return Delta{ID: id, Content: row.Content}, nil
	case sqlc.AIEventKindReset:
		return Reset{ID: id, Attempt: row.Attempt}, nil
	case sqlc.AIEventKindFailed:
		failure := failureWith(apperr.Code(row.Content))
		if row.RetryAfterSeconds != nil {
			failure.RetryAfter = time.Duration(*row.RetryAfterSeconds) * time.Second
		}
		return Failed{ID: id, Err: failure}, nil
	default:
		response, err := s.store.GetAIResponse(ctx, row.AIResponseID)
		if err != nil {
			return nil, err
		}
		message, err := s.store.GetMessage(ctx, *response.MessageID)
		return Done{ID: id, Response: response, Message: message}, err
	}
}
