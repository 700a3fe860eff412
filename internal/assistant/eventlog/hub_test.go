package eventlog

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/apperr"
)

func delta(f *Feed, seq int64, attempt int32) Entry {
	return Entry{Event: Delta{ID: EventID{f.responseID, seq, attempt}, Content: "x"}}
}

func TestAbandonedFeedIsNotReused(t *testing.T) {
	t.Parallel()
	h := NewHub(nil, nil, nil)
	id := uuid.New()
	old := h.Acquire(id)
	h.Abandon(old)
	// A reader still holds the old feed, which accepts no more events. A writer with that feed would wait forever.
	fresh := h.Acquire(id)
	require.NotSame(t, old, fresh)
	h.Release(old)
	require.Same(t, fresh, h.Acquire(id))
}

func TestFeedAheadOfTheLogStartsOver(t *testing.T) {
	t.Parallel()
	f := NewHub(nil, nil, nil).Acquire(uuid.New())
	f.publish(delta(f, 1, 1), delta(f, 2, 1), delta(f, 3, 1))
	_, err := f.after(t.Context(), 2, 0)
	require.NoError(t, err)

	f.merge(3, []Entry{delta(f, 3, 1), delta(f, 4, 1)})
	require.True(t, f.has(EventID{f.responseID, 4, 1}))
	require.True(t, f.has(EventID{f.responseID, 4, 0}), "an event of any attempt")
	require.False(t, f.has(EventID{f.responseID, 4, 2}), "another attempt's event with that number")
	require.Zero(t, f.times())

	// The log has lost events, and another attempt has written others with their numbers.
	f.merge(4, []Entry{delta(f, 4, 2), delta(f, 5, 2)})
	_, err = f.after(t.Context(), 4, 0)
	require.ErrorIs(t, err, errRewound)
	require.False(t, f.has(EventID{f.responseID, 1, 1}))
	f.merge(4, nil) // A reader with an older result, which comes late.
	require.Equal(t, 1, f.times())
}

func TestFeedWithALostEventEndsWithTheEventThatReplacedIt(t *testing.T) {
	t.Parallel()
	f := NewHub(nil, nil, nil).Acquire(uuid.New())
	f.publish(delta(f, 1, 1), delta(f, 2, 1))
	// The log has lost the second event, and the response was ended before its owner restored that event.
	failed := Entry{Event: Failed{ID: EventID{f.responseID, 2, 1}, Err: Failure(apperr.Superseded)}}
	f.merge(2, []Entry{failed})
	now, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := f.after(now, 2, 0)
	require.ErrorIs(t, err, errRewound)
	f.merge(0, []Entry{delta(f, 1, 1), failed})
	entries, err := f.after(now, 1, 1)
	require.NoError(t, err)
	require.Equal(t, []Entry{failed}, entries)
}

func TestFeedOfTheOwnerKeepsLostEvents(t *testing.T) {
	t.Parallel()
	f := NewHub(nil, nil, nil).Acquire(uuid.New())
	f.WriteHere(Writing{})
	f.publish(delta(f, 1, 1), delta(f, 2, 1))
	f.merge(2, nil)
	require.True(t, f.has(EventID{f.responseID, 2, 1}), "its writer restores it")
}
