package writer

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/assistant/eventlog"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// newOwners returns an owner of each of as many running responses.
func newOwners(t *testing.T, s *store.Store, url string, me uuid.UUID, count int) (owners []*owner) {
	t.Helper()
	storetest.Exec(t, url, `
		WITH customer AS (
			INSERT INTO users (id, email, password_hash, role) VALUES (gen_random_uuid(), 'a@example.com', 'x', 'user') RETURNING id
		), about AS (
			INSERT INTO tickets (id, user_id, title, description)
			SELECT gen_random_uuid(), customer.id, 'x', 'x' FROM customer, generate_series(1, $2) RETURNING id
		)
		INSERT INTO ai_responses (id, ticket_id, model, owner_id, lease_expires_at)
		SELECT gen_random_uuid(), about.id, 'm', $1, now() FROM about`, me, count)
	rows, err := s.ListOwnedAIResponses(t.Context(), me)
	require.NoError(t, err)
	for _, row := range rows {
		owners = append(owners, newOwner(me, sqlc.AIResponse{ID: row.ID, Attempt: row.Attempt}, nil, func(error) {}))
	}
	return owners
}

func TestLeasesOfResponsesThatCommitAreNotRenewedTwice(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	s := storetest.Open(t, url)
	me := uuid.New()
	of := newOwners(t, s, url, me, 3)
	busy, silent, lost := of[0], of[1], of[2]
	owners := map[uuid.UUID]*owner{busy.response.ID: busy, silent.response.ID: silent, lost.response.ID: lost}
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

// A check may come between the commit of an end and its reply.
func TestOwnersThatEndTheirResponsesHaveNotLostThem(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	s := storetest.Open(t, url)
	me := uuid.New()
	owners := newOwners(t, s, url, me, 3)
	ending, generating := owners[0], owners[1]
	_, err := ending.flush(t.Context())
	require.NoError(t, err)
	storetest.Exec(t, url, "UPDATE ai_responses SET status = 'failed', error_code = 'ai_timeout', finished_at = now() WHERE id = ANY($1)",
		[]uuid.UUID{ending.response.ID, generating.response.ID})
	l := &leases{reserved: s.Reserved(), ownerID: me}
	for _, renew := range []bool{false, true} {
		require.NoError(t, l.check(t.Context(), owners, renew))
		require.False(t, ending.lost)
		require.True(t, generating.lost)
		require.False(t, owners[2].lost)
	}
}
