package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/supportbackend/support/internal/journal"
)

// timedWriter records how much time each write has, and its size.
type timedWriter struct {
	*httptest.ResponseRecorder
	deadline time.Time
	times    []time.Duration
	sizes    []int
}

func (w *timedWriter) SetWriteDeadline(at time.Time) error {
	w.deadline = at
	return nil
}

func (w *timedWriter) Write(p []byte) (int, error) {
	w.times, w.sizes = append(w.times, time.Until(w.deadline)), append(w.sizes, len(p))
	w.deadline = time.Time{} // A deadline serves one write.
	return w.ResponseRecorder.Write(p)
}

// A client that reads slowly but steadily gets the whole response, and one that has stopped reading is soon given up.
func TestEachPartOfAResponseHasItsOwnDeadline(t *testing.T) {
	t.Parallel()
	body := bytes.Repeat([]byte("x"), 3*deliveryChunk+1)
	response := &timedWriter{ResponseRecorder: httptest.NewRecorder()}
	require.NoError(t, writeInChunks(response, body))
	require.Equal(t, body, response.Body.Bytes())
	require.Equal(t, []int{deliveryChunk, deliveryChunk, deliveryChunk, 1}, response.sizes)

	events := &timedWriter{ResponseRecorder: httptest.NewRecorder()}
	page := journal.Page{Entries: []journal.Entry{{Position: 1}, {Position: 2}, {Position: 3}}, Position: 3}
	require.NoError(t, (&deskStream{page: page, frames: newEventStream(events)}).send())
	require.Len(t, events.sizes, 3)
	for _, left := range append(response.times, events.times...) {
		require.Greater(t, left, deliveryTimeout/2)
		require.LessOrEqual(t, left, deliveryTimeout)
	}
}

func TestJSONIsNotEscapedForHTML(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune(`\u003ceE&<>"0/`+"\n\u2028é🔑"))).Draw(t, "text")
		escaped, err := json.Marshal(text)
		require.NoError(t, err)
		size := len(escaped)
		plain := unescapeHTML(escaped)
		var back string
		require.NoError(t, json.Unmarshal(plain, &back))
		require.Equal(t, text, back)
		require.Len(t, plain, size-5*(strings.Count(text, "<")+strings.Count(text, ">")+strings.Count(text, "&")))
	})
}
