package api_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// indexedAs returns how many texts of the index have a word.
func indexedAs(t *testing.T, d *desk.Desk, word string) int {
	t.Helper()
	return countRows(t, d, "search_documents WHERE words @@ to_tsquery('simple', $1)", word)
}

// TestTextRemovedDuringIndexingIsNotFound stops the indexer between reading a text and storing its words.
func TestTextRemovedDuringIndexingIsNotFound(t *testing.T) {
	t.Parallel()
	for name, remove := range map[string]func(t *testing.T, c *cast, id uuid.UUID) int{
		"redacted": func(t *testing.T, c *cast, id uuid.UUID) int {
			t.Helper()
			return c.agent.Do(t, http.MethodPost, "/messages/"+id.String()+"/redact", "").Status
		},
		"erased": func(t *testing.T, c *cast, _ uuid.UUID) int { t.Helper(); return erase(t, c.admin, c.owner.ID) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCast(t)
			require.NoError(t, c.Search.Index(t.Context()))
			note := addNote(t, c.agent, c.ticket.ID, erasable)

			release := storetest.Hold(t, c.DatabaseURL,
				"INSERT INTO search_documents (id, created_at, words) VALUES ('"+note.ID.String()+"', now(), '')")
			waiting := func() int { return storetest.CountWaiting(t, c.DatabaseURL) }
			var running sync.WaitGroup
			var failed error
			running.Go(func() { failed = c.Search.Index(t.Context()) })
			require.Eventually(t, func() bool { return waiting() == 1 }, patience, time.Millisecond, "the indexer has not read the text")
			removed := make(chan int, 1)
			running.Go(func() { removed <- remove(t, c, note.ID) })
			require.Eventually(t, func() bool { return len(removed) == 1 || waiting() == 2 }, patience, time.Millisecond)
			release()
			running.Wait()

			require.NoError(t, failed)
			require.Less(t, <-removed, http.StatusMultipleChoices)
			require.Zero(t, indexedAs(t, c.Desk, erasable))
			require.NoError(t, c.Search.Index(t.Context()))
			require.Zero(t, indexedAs(t, c.Desk, erasable))
		})
	}
}
