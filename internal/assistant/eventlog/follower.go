package eventlog

import (
	"context"
	"time"

	"github.com/supportbackend/support/internal/background"
)

// followInterval is how often a replica reads the events that others commit, for all its readers at once. It does so
// only while it has such readers.
const followInterval = 100 * time.Millisecond

// Run follows the responses that other replicas write, for the readers here, until ctx ends.
func (h *Hub) Run(ctx context.Context) {
	following := background.Outage{While: "following events", Logger: h.logger}
	reserved := logs{store: h.store.Reserved(), encode: h.logs.encode} // Streams must not wait behind requests.
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.wanted:
		}
		for feeds := h.followed(); len(feeds) > 0; feeds = h.followed() {
			following.Note(ctx, reserved.load(ctx, feeds))
			select {
			case <-ctx.Done():
				return
			case <-time.After(followInterval):
			}
		}
	}
}
