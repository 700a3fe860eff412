package auth_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/testing/storetest"
)

func TestUnwrittenKeyUseIsKept(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	service, err := b.store.CreateUser(t.Context(), sqlc.CreateUserParams{
		ID: uuid.Must(uuid.NewV7()), Email: "shop@service.invalid", PasswordHash: "!", Role: sqlc.UserRoleUser,
	})
	require.NoError(t, err)
	id := uuid.Must(uuid.NewV7())
	key, hash := auth.GenerateAPIKey(id)
	_, err = b.store.CreateAPIKey(t.Context(), sqlc.CreateAPIKeyParams{
		ID: id, ServiceID: service.ID, Name: "Shop", KeyHash: hash, Scopes: []string{"ai"},
		ActorKind: sqlc.ActorKindAgent, CreatedBy: service.ID,
	})
	require.NoError(t, err)
	_, err = b.Authenticate(t.Context(), key)
	require.NoError(t, err)

	storetest.Exec(t, b.url, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN RAISE EXCEPTION 'broken on purpose'; END $$`)
	storetest.Exec(t, b.url, "CREATE TRIGGER refuse BEFORE UPDATE ON api_keys FOR EACH ROW EXECUTE FUNCTION refuse()")
	require.Error(t, b.FlushKeyUse(t.Context()))
	storetest.Exec(t, b.url, "DROP TRIGGER refuse ON api_keys")
	require.NoError(t, b.FlushKeyUse(t.Context()))
	require.Equal(t, 1, storetest.QueryInt(t, b.url, "SELECT count(last_used_at) FROM api_keys"))
}
