package api_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// TestFutureTimesUseTheDatabaseClock runs with a database that is an hour ahead of the server.
func TestFutureTimesUseTheDatabaseClock(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	storetest.Exec(t, url, `CREATE FUNCTION public.statement_timestamp() RETURNS timestamptz LANGUAGE sql
		AS $$ SELECT pg_catalog.clock_timestamp() + interval '1 hour' $$`)
	storetest.Exec(t, url, `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database()); END $$`)
	c := newCastOn(t, desk.Options{DatabaseURL: url})
	for path, change := range map[string]func(at string) (method, body string){
		"/tickets/" + c.ticket.ID.String(): func(at string) (string, string) { return http.MethodPatch, `{"snoozed_until":"` + at + `"}` },
		"/api-keys": func(at string) (string, string) {
			return http.MethodPost, `{"name":"A service","scopes":["ai"],"expires_at":"` + at + `"}`
		},
	} {
		method, body := change(time.Now().Add(30 * time.Minute).Format(time.RFC3339))
		c.admin.Do(t, method, path, body, contentJSON).RequireProblem(t, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed)
		method, body = change(time.Now().Add(90 * time.Minute).Format(time.RFC3339))
		require.Less(t, c.admin.Do(t, method, path, body, contentJSON).Status, http.StatusMultipleChoices, path)
	}
}
