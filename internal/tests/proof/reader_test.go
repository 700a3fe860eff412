//go:build proof

package proof_test

import (
	"bufio"
	"context"
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// sighting is an event that a reader has received.
type sighting struct {
	position int64
	name     uuid.UUID
	at       time.Time
}

func sightingOf(e client.DeskEvent) sighting {
	s := sighting{position: e.Position, at: time.Now()}
	if e.SubjectID != nil {
		s.name = *e.SubjectID
	}
	return s
}

// crowd is a group of readers that read to the end.
type crowd struct {
	ctx      context.Context //nolint:containedctx // It ends all readers.
	token    string
	replicas *replicas
	readers  []*reader
	running  sync.WaitGroup
	// end is the last position, once it is known.
	end atomic.Int64
}

func newCrowd(t *testing.T, token string, rs *replicas) *crowd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	t.Cleanup(cancel)
	return &crowd{ctx: ctx, token: token, replicas: rs}
}

// add starts a reader after a position. Readers alternate between streams, long polls and plain pages.
func (c *crowd) add(from int64) {
	r := &reader{crowd: c, from: from, position: from}
	way := []func(context.Context){r.stream, r.wait, r.ask}[len(c.readers)%3]
	c.readers = append(c.readers, r)
	c.running.Go(func() {
		for c.ctx.Err() == nil && !r.ended() {
			// The timeout cuts connections at random, and moves readers away from a frozen replica.
			ctx, cancel := context.WithTimeout(c.ctx, 500*time.Millisecond+rand.N(3*time.Second))
			way(ctx)
			cancel()
		}
	})
}

// finish waits until all readers have read to the end, and returns the subjects of the journal's entries in order.
func (c *crowd) finish(t *testing.T, url string) (journal []uuid.UUID) {
	t.Helper()
	require.Eventually(t, func() bool {
		return storetest.QueryInt(t, url, "SELECT count(*) FROM journal_outbox") == 0
	}, time.Minute, 50*time.Millisecond, "the outbox is not emptied")
	c.end.Store(int64(storetest.QueryInt(t, url, "SELECT position FROM journal_head")))
	c.running.Wait()
	require.NoError(t, c.ctx.Err(), "readers do not reach the end")
	text := storetest.QueryText(t, url, "SELECT json_agg(subject_id ORDER BY position)::text FROM journal")
	require.NoError(t, json.Unmarshal([]byte(text), &journal))
	return journal
}

// check checks that each reader has seen each position after its first once, in order, with the journal's entry.
func (c *crowd) check(t *testing.T, journal []uuid.UUID) {
	t.Helper()
	for n, r := range c.readers {
		for i, s := range r.seen {
			require.Equal(t, r.from+int64(i)+1, s.position, "reader %d from %d has missed or repeated an event", n, r.from)
			require.Equal(t, journal[s.position-1], s.name)
		}
		require.Equal(t, int64(len(journal)), r.from+int64(len(r.seen)), "reader %d from %d has not read to the end", n, r.from)
	}
}

func (c *crowd) sightings() (n int) {
	for _, r := range c.readers {
		n += len(r.seen)
	}
	return n
}

// reader reads the journal from a position on, from any replica, and switches to another one when a replica fails.
type reader struct {
	*crowd
	from, position int64
	seen           []sighting
}

func (r *reader) ended() bool {
	end := r.end.Load()
	return end > 0 && r.position >= end
}

func (r *reader) wait(ctx context.Context) { r.poll(ctx, new(int32(5))) }
func (r *reader) ask(ctx context.Context)  { r.poll(ctx, nil) }

// poll reads pages until one fails or the journal ends.
func (r *reader) poll(ctx context.Context, wait *int32) {
	support := r.replicas.any().client(r.token)
	for !r.ended() {
		got, err := support.ListEventsWithResponse(ctx, &plain.ListEventsParams{After: &r.position, Wait: wait})
		if err != nil || got.JSON200 == nil {
			return
		}
		for _, e := range got.JSON200.Events {
			r.seen = append(r.seen, sightingOf(e))
		}
		r.position = got.JSON200.Position
		if wait == nil {
			<-time.After(50 * time.Millisecond)
		}
	}
}

// stream reads server-sent events until the stream ends.
func (r *reader) stream(ctx context.Context) {
	response, err := r.replicas.any().client(r.token).StreamEvents(ctx, &plain.StreamEventsParams{
		After: &r.from, LastEventID: strconv.FormatInt(r.position, 10),
	})
	if err != nil {
		return
	}
	defer func() { _ = response.Body.Close() }()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	var id, data string
	for !r.ended() && lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "id":
			id = value
		case "data":
			data = value
		case "":
			if value != "" {
				continue // A comment.
			}
			r.dispatch(id, data)
			data = ""
		}
	}
}

// dispatch handles an event that ended with an empty line. An event that the stream cuts off does not count, and comes
// again.
func (r *reader) dispatch(id, data string) {
	if data != "" {
		var e client.DeskEvent
		if json.Unmarshal([]byte(data), &e) != nil {
			return
		}
		r.seen = append(r.seen, sightingOf(e))
	}
	if position, err := strconv.ParseInt(id, 10, 64); err == nil {
		r.position = max(r.position, position)
	}
}
