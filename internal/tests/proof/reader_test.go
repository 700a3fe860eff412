package proof_test

import (
	"bufio"
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
)

// sighting is an event as a reader got it.
type sighting struct {
	event client.DeskEvent
	at    time.Time
}

// reader reads the journal from a position on, from any replica, and goes on at another when one fails.
type reader struct {
	replicas *replicas
	token    string
	from     int64
	position int64
	seen     []sighting
}

// read reads until done says that the position is the last one.
func (r *reader) read(ctx context.Context, stream bool, done func(position int64) bool) {
	r.position = r.from
	for ctx.Err() == nil && !done(r.position) {
		// A connection is cut at random, and what a frozen replica does not answer is asked elsewhere.
		limited, cancel := context.WithTimeout(ctx, 500*time.Millisecond+rand.N(3*time.Second))
		if stream {
			r.stream(limited)
		} else {
			r.poll(limited)
		}
		cancel()
	}
}

func (r *reader) client() plain.ClientInterface {
	c, _ := plain.NewClient(r.replicas.any(), plain.WithRequestEditorFn(func(_ context.Context, q *http.Request) error {
		q.Header.Set("Authorization", "Bearer "+r.token)
		return nil
	})) // The address is one.
	return c
}

// poll reads pages until one fails.
func (r *reader) poll(ctx context.Context) {
	c := r.client()
	for {
		response, err := c.ListEvents(ctx, &plain.ListEventsParams{After: &r.position, Wait: new(int32(5))})
		if err != nil {
			return
		}
		got, err := plain.ParseListEventsResponse(response)
		if err != nil || got.JSON200 == nil {
			return
		}
		for _, e := range got.JSON200.Events {
			r.seen = append(r.seen, sighting{e, time.Now()})
		}
		r.position = got.JSON200.Position
	}
}

// stream reads server-sent events until the stream ends.
func (r *reader) stream(ctx context.Context) {
	response, err := r.client().StreamEvents(ctx, &plain.StreamEventsParams{
		After: &r.from, LastEventID: strconv.FormatInt(r.position, 10),
	})
	if err != nil {
		return
	}
	defer func() { _ = response.Body.Close() }()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	id := int64(0)
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "id":
			id, _ = strconv.ParseInt(value, 10, 64)
		case "data":
			var e client.DeskEvent
			if json.Unmarshal([]byte(value), &e) != nil {
				return // It was cut off.
			}
			r.seen = append(r.seen, sighting{e, time.Now()})
		case "":
			r.position = max(r.position, id)
		}
	}
}

// check wants the reader to have seen each position after its first once, in order, and at each what the journal has there.
func (r *reader) check(t *testing.T, journal []string) {
	t.Helper()
	require.Len(t, r.seen, len(journal)-int(r.from), "a reader from %d has missed or repeated events", r.from)
	for i, s := range r.seen {
		require.Equal(t, r.from+int64(i)+1, s.event.Position)
		require.Equal(t, journal[s.event.Position-1], s.event.SubjectID.String())
	}
}
