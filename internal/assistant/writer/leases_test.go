package writer

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/assistant/eventlog"
	"github.com/supportbackend/support/internal/testing/storetest"
)

func TestLeasesOfResponsesThatCommitAreNotRenewedTwice(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	s := storetest.Open(t, url)
	me := uuid.New()
	storetest.Exec(t, url, `
		WITH customer AS (
			INSERT INTO users (id, email, password_hash, role) VALUES (gen_random_uuid(), 'a@example.com', 'x', 'user') RETURNING id
		), about AS (
			INSERT INTO tickets (id, user_id, title, description)
			SELECT gen_random_uuid(), customer.id, 'x', 'x' FROM customer, generate_series(1, 3) RETURNING id
		)
		INSERT INTO ai_responses (id, ticket_id, model, owner_id, lease_expires_at)
		SELECT gen_random_uuid(), about.id, 'm', $1, now() FROM about`, me)
	rows, err := s.ListOwnedAIResponses(t.Context(), me)
	require.NoError(t, err)
	owners := make(map[uuid.UUID]*owner)
	for _, row := range rows {
		owners[row.ID] = newOwner(me, sqlc.AIResponse{ID: row.ID, Attempt: row.Attempt}, nil, func(error) {})
	}
	busy, silent, lost := owners[rows[0].ID], owners[rows[1].ID], owners[rows[2].ID]
	busy.inflight = &eventlog.Delta{}
	busy.committed()
	silent.committedAt = time.Now().Add(-justCommitted)
	lost.response.Attempt = 2
	l := &leases{reserved: s.Reserved(), ownerID: me}
	kept, err := l.renewed(t.Context(), owners)
	require.NoError(t, err)
	require.ElementsMatch(t, []uuid.UUID{busy.response.ID, silent.response.ID}, kept)
	require.Equal(t, silent.response.ID.String(), storetest.QueryText(t, url,
		"SELECT string_agg(id::text, ',') FROM ai_responses WHERE lease_expires_at > now() + interval '10 seconds'"))
}
