package account_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/account"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// A request erases for as long as it may, and what is left is not an error.
func TestErasureStopsBetweenBatches(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	user := b.addUser(t, uuid.NewString()+"@example.com", "!")
	storetest.Exec(t, b.url, `WITH opened AS (
			INSERT INTO tickets (id, user_id, title, description) VALUES (gen_random_uuid(), $1, 'Many', 'messages') RETURNING id
		)
		INSERT INTO messages (id, ticket_id, author, author_id, content, created_at)
		SELECT gen_random_uuid(), opened.id, 'customer', $1, 'erasable', now() + i * interval '1 second'
		FROM opened, generate_series(1, 450) AS i`, user.ID)
	left := func() int {
		return storetest.QueryInt(t, b.url, "SELECT count(*) FROM messages WHERE author_id = '"+user.ID.String()+"'")
	}
	require.NoError(t, account.EraseUntil(t.Context(), b.Service, user.ID, time.Now()))
	require.Positive(t, left())
	require.NoError(t, account.EraseUntil(t.Context(), b.Service, user.ID, time.Time{}))
	require.Zero(t, left())
}
