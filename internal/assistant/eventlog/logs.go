package eventlog

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
)

const (
	// maxLoaded bounds the events of one query; the next one reads the rest.
	maxLoaded = 5000
	// loadTimeout bounds one query.
	loadTimeout = 5 * time.Second
)

// logs reads the events of responses from the database.
type logs struct {
	store  sqlc.Querier
	encode func(Event) []byte
}

// load reads the events that the feeds lack and publishes them, all of a response together. It also reads the last
// event of each feed, to check that it still exists.
func (l logs) load(ctx context.Context, feeds map[*Feed]int64) error {
	params := sqlc.ListAIResponseEventsParams{MaxRows: int32(maxLoaded + len(feeds))} //nolint:gosec // Few feeds.
	for f, lastSeq := range feeds {
		params.IDs = append(params.IDs, f.responseID)
		params.FromSeqs = append(params.FromSeqs, lastSeq)
	}
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	rows, err := l.store.ListAIResponseEvents(ctx, params)
	if err != nil {
		return err
	}
	entries := make(map[uuid.UUID][]Entry)
	for _, row := range rows {
		event, err := l.event(ctx, row)
		if err != nil {
			return err
		}
		entries[row.AIResponseID] = append(entries[row.AIResponseID], l.entry(event))
	}
	var empty []*Feed
	for f, lastSeq := range feeds {
		found := entries[f.responseID]
		if len(found) == 0 && len(rows) == int(params.MaxRows) {
			continue // It may be incomplete.
		}
		if lastSeq == 0 && len(found) == 0 {
			empty = append(empty, f)
		}
		f.merge(lastSeq, found)
	}
	return l.endGone(ctx, empty)
}

// endGone ends the feeds whose logs are empty, unless the response has just begun. If it has ended, its events were
// deleted. If it is gone, it was erased, or lost in a crash of the database: its readers must ask again.
func (l logs) endGone(ctx context.Context, feeds []*Feed) error {
	if len(feeds) == 0 {
		return nil
	}
	ids := make([]uuid.UUID, len(feeds))
	for i, f := range feeds {
		ids[i] = f.responseID
	}
	existing, err := l.store.ListExistingAIResponses(ctx, ids)
	if err != nil {
		return err
	}
	for _, f := range feeds {
		i := slices.IndexFunc(existing, func(r sqlc.AIResponse) bool { return r.ID == f.responseID })
		switch {
		case i < 0:
			f.abandon()
		case !existing[i].HasEvents && existing[i].Status != sqlc.AIResponseStatusStreaming:
			if err := l.rebuild(ctx, f, existing[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// rebuild fills the feed of a response that has ended and whose events were deleted, with the text as one delta.
func (l logs) rebuild(ctx context.Context, f *Feed, response sqlc.AIResponse) error {
	end := EndOf(response)
	text := EventID{ResponseID: response.ID, Seq: response.LastSeq - 1, Attempt: response.Attempt}
	if response.CustomerID == nil && response.Content != nil {
		f.publish(l.entries([]Event{Delta{ID: text, Content: *response.Content}, Ready{ID: end, Response: response}})...)
		return nil
	}
	if response.MessageID == nil {
		code := apperr.Internal
		if response.ErrorCode != nil {
			code = apperr.Code(*response.ErrorCode)
		}
		f.publish(l.entry(Failed{ID: end, Err: Failure(code)}))
		return nil
	}
	message, err := l.store.GetMessage(ctx, *response.MessageID)
	if err != nil {
		return err
	}
	f.publish(l.entries([]Event{
		Delta{ID: text, Content: message.Content},
		Done{ID: end, Response: response, Message: message},
	})...)
	return nil
}

// event converts a row of a log to an event.
func (l logs) event(ctx context.Context, row sqlc.AIResponseEvent) (Event, error) {
	id := EventID{ResponseID: row.AIResponseID, Seq: row.Seq, Attempt: row.Attempt}
	switch row.Kind {
	case sqlc.AIEventKindDelta:
		return Delta{ID: id, Content: row.Content}, nil
	case sqlc.AIEventKindReset:
		return Reset{ID: id, Attempt: row.Attempt}, nil
	case sqlc.AIEventKindFailed:
		failure := Failure(apperr.Code(row.Content))
		if row.RetryAfterSeconds != nil {
			failure.RetryAfter = time.Duration(*row.RetryAfterSeconds) * time.Second
		}
		return Failed{ID: id, Err: failure}, nil
	default:
		response, err := l.store.GetAIResponse(ctx, row.AIResponseID)
		if err != nil {
			return nil, err
		}
		if response.CustomerID == nil {
			return Ready{ID: id, Response: response}, nil
		}
		message, err := l.store.GetMessage(ctx, *response.MessageID)
		return Done{ID: id, Response: response, Message: message}, err
	}
}

func (l logs) entry(e Event) Entry { return Entry{Event: e, Frame: l.encode(e)} }

func (l logs) entries(events []Event) []Entry {
	entries := make([]Entry, len(events))
	for i, e := range events {
		entries[i] = l.entry(e)
	}
	return entries
}
