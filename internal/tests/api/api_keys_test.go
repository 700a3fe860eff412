package api_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

func apiKeys(t *testing.T, admin *apitest.User) []client.APIKey {
	t.Helper()
	got, err := admin.ListAPIKeysWithResponse(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, got.StatusCode(), "%s", got.Body)
	return *got.JSON200
}

func revokeKey(t *testing.T, admin *apitest.User, id uuid.UUID) {
	t.Helper()
	r, err := admin.RevokeAPIKeyWithResponse(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, r.StatusCode(), "%s", r.Body)
}

func TestKeyIsShownOnceAndStoredAsAHash(t *testing.T) {
	t.Parallel()
	var log logBuffer
	s := desk.New(t, desk.Options{Log: &log})
	admin := s.Staff(t, sqlc.UserRoleAdmin)
	created := admin.NewAPIKey(t, client.CreateAPIKeyRequest{Name: "Web shop"})
	require.True(t, strings.HasPrefix(created.Key, created.Prefix))
	require.Equal(t, client.RoleUser, created.Role, "the default is the least role")
	require.Equal(t, created.ServiceID, s.Service(t, created.Key, "").Me(t).ID)
	s.Service(t, created.Key, "").NewTicket(t)
	s.Service(t, created.Key+"x", "").Do(t, http.MethodGet, "/me", "").
		RequireProblem(t, http.StatusUnauthorized, client.ProblemCodeInvalidToken)

	secret := created.Key[len(created.Prefix):]
	list := admin.Do(t, http.MethodGet, "/api-keys", "")
	require.Contains(t, string(list.Body), created.Prefix)
	require.NotContains(t, string(list.Body), secret)
	require.NotContains(t, log.String(), secret)
	require.NotContains(t, log.String(), created.Prefix)
	raw, err := base64.RawURLEncoding.DecodeString(created.Key[3:])
	require.NoError(t, err)
	require.Equal(t, 1, countRows(t, s, "api_keys WHERE key_hash = sha256($1)", []byte(created.Key)))
	for _, form := range [][]byte{[]byte(created.Key), []byte(secret), raw, raw[16:]} {
		require.Zero(t, countRows(t, s, `api_keys AS k WHERE position($1 IN convert_to(k::text, 'UTF8')) > 0
			OR position($1 IN k.key_hash) > 0`, form))
	}
	for _, hash := range []string{"hex", "base64"} {
		stored := storetest.QueryText(t, s.DatabaseURL, "SELECT encode(key_hash, $1) FROM api_keys", hash)
		require.Equal(t, http.StatusUnauthorized, statusWith(t, s, stored), "the stored hash is not a key")
		require.Equal(t, http.StatusUnauthorized, statusWith(t, s, "sk_"+stored))
	}
}

func TestInvalidKeysAreRefused(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	admin := s.Staff(t, sqlc.UserRoleAdmin)
	key := admin.NewAPIKey(t, client.CreateAPIKeyRequest{}).Key
	other := admin.NewAPIKey(t, client.CreateAPIKeyRequest{}).Key
	require.Equal(t, http.StatusOK, statusWith(t, s, key), "its account is in the cache")
	session := admin.Sessions(t)[0].ID
	first := s.Do(t, http.MethodGet, "/me", "", "Authorization: Bearer sk_", fixedRequestID)
	for _, wrong := range []string{
		"sk_", key[:len(key)-1], key + "A", key[:len(key)-2] + "AA", key[:3] + other[3:25] + key[25:],
		strings.ToUpper(key), "SK_" + key[3:], key[:40] + "+" + key[41:], key[:40] + "=" + key[41:], key[3:],
		"sk_" + strings.Repeat("A", 64), "sk_" + strings.Repeat("A", 20_000)[:8000],
		"sk_" + base64.RawURLEncoding.EncodeToString(append(session[:], make([]byte, 32)...)),
	} {
		r := s.Do(t, http.MethodGet, "/me", "", "Authorization: Bearer "+wrong, fixedRequestID)
		r.RequireProblem(t, http.StatusUnauthorized, client.ProblemCodeInvalidToken)
		requireSame(t, first, r, "every fault looks the same")
	}
	s.Do(t, http.MethodGet, "/me?access_token="+key, "").
		RequireProblem(t, http.StatusUnauthorized, client.ProblemCodeUnauthenticated)
}

func TestRevokedKeyStopsWorkingOnEveryReplicaWithinASecond(t *testing.T) {
	t.Parallel()
	here, there, clock := replicas(t)
	admin := here.Staff(t, sqlc.UserRoleAdmin)
	created := admin.NewAPIKey(t, client.CreateAPIKeyRequest{})
	next := admin.NewAPIKey(t, client.CreateAPIKeyRequest{ServiceID: &created.ServiceID})
	for _, s := range []*desk.Desk{here, there} {
		require.Equal(t, http.StatusOK, statusWith(t, s, created.Key))
		require.Equal(t, http.StatusOK, s.Service(t, created.Key, "ada").Do(t, http.MethodGet, "/me", "").Status)
	}
	revokeKey(t, admin, created.ID)
	require.Equal(t, http.StatusUnauthorized, statusWith(t, here, created.Key), "immediately on the replica that revoked it")
	clock.Advance(time.Second)
	require.Equal(t, http.StatusUnauthorized, statusWith(t, there, created.Key))
	require.Equal(t, http.StatusUnauthorized, there.Service(t, created.Key, "ada").Do(t, http.MethodGet, "/me", "").Status)
	require.Equal(t, http.StatusOK, statusWith(t, there, next.Key), "the service's other key works")

	before := apiKeys(t, admin)
	require.NotZero(t, before[1].RevokedAt)
	revokeKey(t, admin, created.ID)
	require.Equal(t, before, apiKeys(t, admin), "revoking it again changes nothing")
	admin.Do(t, http.MethodDelete, "/api-keys/"+uuid.NewString(), "").
		RequireProblem(t, http.StatusNotFound, client.ProblemCodeNotFound)
}

func TestKeyOfADisabledAccountIsRefused(t *testing.T) {
	t.Parallel()
	here, there, clock := replicas(t)
	admin := here.Staff(t, sqlc.UserRoleAdmin)
	created := admin.NewAPIKey(t, client.CreateAPIKeyRequest{})
	for _, s := range []*desk.Desk{here, there} {
		require.Equal(t, http.StatusOK, statusWith(t, s, created.Key))
	}
	mustChangeUser(t, admin, created.ServiceID, `{"disabled":true}`)
	require.Equal(t, http.StatusUnauthorized, statusWith(t, here, created.Key))
	clock.Advance(time.Second)
	require.Equal(t, http.StatusUnauthorized, statusWith(t, there, created.Key))
	mustChangeUser(t, admin, created.ServiceID, `{"disabled":false,"role":"agent"}`)
	require.Equal(t, client.RoleAgent, there.Service(t, created.Key, "").Me(t).Role)
	require.Equal(t, client.RoleAgent, apiKeys(t, admin)[0].Role)
}

func TestKeyEndsWhenItExpires(t *testing.T) {
	t.Parallel()
	s, _, clock := replicas(t)
	admin := s.Staff(t, sqlc.UserRoleAdmin)
	expires := clock.Now().Add(time.Hour)
	created := admin.NewAPIKey(t, client.CreateAPIKeyRequest{ExpiresAt: &expires})
	require.NotZero(t, created.ExpiresAt)
	require.Equal(t, created.ExpiresAt, apiKeys(t, admin)[0].ExpiresAt)
	require.Equal(t, http.StatusOK, statusWith(t, s, created.Key))
	storetest.Exec(t, s.DatabaseURL, "UPDATE api_keys SET expires_at = clock_timestamp()")
	clock.Advance(time.Second)
	require.Equal(t, http.StatusUnauthorized, statusWith(t, s, created.Key))
}

// The API accepts only times that it can show again. Add new members with times to this table.
func TestEveryAcceptedTimeCanBeShown(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	admin := s.Staff(t, sqlc.UserRoleAdmin)
	ticket := admin.NewTicket(t)
	bodies := map[string]string{
		"createAPIKey /expires_at":     `{"name":"A service","scopes":["ai"],"expires_at":%q}`,
		"updateTicket /snoozed_until":  `{"snoozed_until":%q}`,
		"updateTickets /snoozed_until": `{"ticket_ids":["` + ticket.ID.String() + `"],"snoozed_until":%q}`,
	}
	for _, o := range specOperations(t) {
		if o.RequestBody == nil {
			continue
		}
		for name, property := range o.RequestBody.Value.Content["application/json"].Schema.Value.Properties {
			if property.Value.Format != "date-time" {
				continue
			}
			body, known := bodies[o.OperationID+" /"+name]
			require.True(t, known, "%s takes a time as %s", o.OperationID, name)
			for _, at := range []string{"9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59+23:59", "2100-02-28T00:00:00-23:59"} {
				path := strings.Replace(o.template, "{ticket_id}", ticket.ID.String(), 1)
				taken := admin.Do(t, o.method, path, fmt.Sprintf(body, at), contentJSON)
				require.Less(t, taken.Status, 300, "%s", taken.Body)
			}
		}
	}
	for _, key := range apiKeys(t, admin) {
		require.LessOrEqual(t, key.ExpiresAt.Year(), 9999)
	}
}

// A made-up key costs a query, so the limit of its address counts first.
func TestForgedKeysAreRateLimitedBeforeTheQuery(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	genuine := s.Staff(t, sqlc.UserRoleAdmin).NewAPIKey(t, client.CreateAPIKeyRequest{}).Key
	limited := desk.New(t, desk.Options{NoAI: true, DatabaseURL: s.DatabaseURL, RateLimit: 1})
	require.Equal(t, http.StatusOK, statusWith(t, limited, genuine))
	invented := func(i int) apitest.Response {
		raw := sha256.Sum256([]byte{byte(i)})
		payload := append(raw[:], make([]byte, 10)...)
		checksum := sha256.Sum256(payload)
		key := "sk_" + base64.RawURLEncoding.EncodeToString(append(payload, checksum[:6]...))
		return limited.Do(t, http.MethodGet, "/me", "", "Authorization: Bearer "+key)
	}
	invented(0).RequireProblem(t, http.StatusUnauthorized, client.ProblemCodeInvalidToken)
	requireRateLimited(t, exhaust(t, invented), "address")
	require.Equal(t, http.StatusOK, statusWith(t, limited, genuine), "a key that is known is in its own bucket")
	limited.Store.Close() // From now on, a query would fail.
	require.Eventually(t, func() bool {
		exhaust(t, func(int) apitest.Response { return limited.Do(t, http.MethodGet, "/me", "") })
		return invented(1).Status == http.StatusTooManyRequests
	}, patience, time.Millisecond)
}

func TestInvalidKeySettingsAreRefused(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	admin, customer := s.Staff(t, sqlc.UserRoleAdmin), s.Customer(t)
	service := admin.NewAPIKey(t, client.CreateAPIKeyRequest{})
	acting := s.Service(t, service.Key, "ada").Me(t)
	users := countRows(t, s, "users")
	for body, field := range map[string]string{
		`"scopes":[]`:                   "/scopes",
		`"scopes":["tickets"]`:          "/scopes/0",
		`"scopes":["none"]`:             "/scopes/0",
		`"scopes":["any"]`:              "/scopes/0",
		`"scopes":["ai","ai"]`:          "/scopes",
		`"scopes":["ai"],"role":"root"`: "/role",
		`"scopes":["ai"],"expires_at":"2020-01-01T00:00:00Z"`: "/expires_at",
		`"scopes":["ai"],"expires_at":"2099-13-01T00:00:00Z"`: "/expires_at",
		`"scopes":["ai"],"expires_at":"tomorrow"`:             "/expires_at",
		// In UTC, the year has five digits.
		`"scopes":["ai"],"expires_at":"9999-12-31T23:59:59-23:59"`:      "/expires_at",
		`"scopes":["ai"],"expires_at":"9999-12-31T23:59:59.9999-00:01"`: "/expires_at",
		`"scopes":["ai"],"key":"sk_mine"`:                               "/key",
		// A key never belongs to a person, to a service's customer, or to an unknown account.
		fmt.Sprintf(`"scopes":["ai"],"service_id":%q`, admin.ID):                         "/service_id",
		fmt.Sprintf(`"scopes":["ai"],"service_id":%q`, customer.ID):                      "/service_id",
		fmt.Sprintf(`"scopes":["ai"],"service_id":%q`, acting.ID):                        "/service_id",
		fmt.Sprintf(`"scopes":["ai"],"service_id":%q`, uuid.New()):                       "/service_id",
		fmt.Sprintf(`"scopes":["ai"],"service_id":%q,"role":"admin"`, service.ServiceID): "/role",
	} {
		r := admin.Do(t, http.MethodPost, "/api-keys", `{"name":"A service",`+body+`}`, contentJSON)
		problem := r.RequireProblem(t, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed)
		require.Equal(t, field, problem.Errors[0].Pointer, body)
	}
	require.Equal(t, 1, countRows(t, s, "api_keys"))
	require.Equal(t, users, countRows(t, s, "users"))
}

func TestNobodyLogsInToAnAccountWithoutAPassword(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	admin := s.Staff(t, sqlc.UserRoleAdmin)
	created := admin.NewAPIKey(t, client.CreateAPIKeyRequest{Role: client.RoleAdmin})
	service, acting := s.Service(t, created.Key, "").Me(t), s.Service(t, created.Key, "ada").Me(t)
	unknown := post(t, s, "/auth/login", map[string]string{"email": freshEmail(), "password": "!"})
	for _, email := range []string{service.Email, acting.Email} {
		for _, password := range []string{"!", apitest.Password, created.Key} {
			r := post(t, s, "/auth/login", map[string]string{"email": email, "password": password})
			r.RequireProblem(t, http.StatusUnauthorized, client.ProblemCodeInvalidCredentials)
			require.Equal(t, unknown.Header.Get("WWW-Authenticate"), r.Header.Get("WWW-Authenticate"))
		}
	}
	// A service cannot log in, so it does not count as a remaining administrator.
	changeUser(t, admin, admin.ID, `{"disabled":true}`).
		RequireProblem(t, http.StatusConflict, client.ProblemCodeLastAdmin)
	mustChangeUser(t, admin, created.ServiceID, `{"role":"user"}`)
}

func TestLastUseOfAKeyIsWrittenOnceAMinuteInTheBackground(t *testing.T) {
	t.Parallel()
	s, other, clock := replicas(t)
	admin := s.Staff(t, sqlc.UserRoleAdmin)
	created := admin.NewAPIKey(t, client.CreateAPIKeyRequest{})
	use := func(server *desk.Desk) {
		clock.Advance(time.Second)
		require.Equal(t, http.StatusOK, statusWith(t, server, created.Key))
	}
	used := func() time.Time { return apiKeys(t, admin)[0].LastUsedAt }
	use(s)
	require.Zero(t, used(), "the request itself writes nothing")
	require.NoError(t, s.Auth.FlushKeyUse(t.Context()))
	first := used()
	require.NotZero(t, first)

	for _, server := range []*desk.Desk{s, other} {
		use(server)
		require.NoError(t, server.Auth.FlushKeyUse(t.Context()))
	}
	require.Equal(t, first, used(), "it was written within the last minute")
	storetest.Exec(t, s.DatabaseURL, "UPDATE api_keys SET last_used_at = last_used_at - interval '1 minute'")
	old := used()
	require.NoError(t, s.Auth.FlushKeyUse(t.Context()))
	require.Equal(t, old, used(), "nobody has used it since")
	use(other)
	require.NoError(t, other.Auth.FlushKeyUse(t.Context()))
	require.Greater(t, used(), old)
}

func TestBusyKeyQueriesTheDatabaseOnceASecond(t *testing.T) {
	t.Parallel()
	s, _, _ := replicas(t)
	created := s.Staff(t, sqlc.UserRoleAdmin).NewAPIKey(t, client.CreateAPIKeyRequest{})
	for _, customer := range []string{"", "ada"} {
		caller := s.Service(t, created.Key, customer)
		require.Equal(t, http.StatusOK, caller.Do(t, http.MethodGet, "/me", "").Status)
	}
	s.Store.Close()
	for _, customer := range []string{"", "ada"} {
		for range 10 {
			require.Equal(t, http.StatusOK, s.Service(t, created.Key, customer).Do(t, http.MethodGet, "/me", "").Status)
		}
	}
}

func TestStreamsAndStreamTokensEndWithTheirKey(t *testing.T) {
	t.Parallel()
	for _, customer := range []string{"", "ada"} {
		t.Run("for "+customer, func(t *testing.T) {
			t.Parallel()
			clock := newMovingClock()
			// Each reading of the clock is a second later, so that caches expire.
			now := func() time.Time {
				clock.Advance(time.Second)
				return clock.Now()
			}
			s := desk.New(t, desk.Options{Now: now, Recheck: 10 * time.Millisecond})
			require.NoError(t, s.Simulator.Enqueue(groqsim.Script{Gates: []groqsim.Gate{{Name: "never", After: 3}}}))
			admin := s.Staff(t, sqlc.UserRoleAdmin)
			created := admin.NewAPIKey(t, client.CreateAPIKeyRequest{})
			caller := s.Service(t, created.Key, customer)
			ticket := caller.NewTicket(t).ID
			stream := caller.Stream(t, ticket)
			token, err := caller.CreateStreamTokenWithResponse(t.Context(), ticket, nil)
			require.NoError(t, err)
			require.Equal(t, http.StatusCreated, token.StatusCode(), "%s", token.Body)
			elsewhere := strings.ReplaceAll(token.JSON201.URL, ticket.String(), uuid.NewString())
			s.Do(t, http.MethodGet, elsewhere, "").RequireProblem(t, http.StatusUnauthorized, client.ProblemCodeInvalidToken)
			opened := openEvents(t, s, token.JSON201.URL)

			revokeKey(t, admin, created.ID)
			for more := true; more; {
				var event apitest.Event
				event, more = stream.Next() // Next fails unless the stream ends between two events.
				require.NotContains(t, []string{"done", "failed"}, event.Name, "the answer itself continues")
			}
			require.NotContains(t, opened(), "event: done", "the stream of the token has ended too")
			s.Do(t, http.MethodGet, token.JSON201.URL, "").
				RequireProblem(t, http.StatusUnauthorized, client.ProblemCodeInvalidToken)
		})
	}
}

func TestKeysAreListedInPages(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	admin := s.Staff(t, sqlc.UserRoleAdmin)
	var want []uuid.UUID
	for range 5 {
		want = append([]uuid.UUID{admin.NewAPIKey(t, client.CreateAPIKeyRequest{}).ID}, want...)
	}
	var got []uuid.UUID
	for path := "/api-keys?limit=2"; ; {
		r := admin.Do(t, http.MethodGet, path, "")
		require.Equal(t, http.StatusOK, r.Status, "%s", r.Body)
		var page []client.APIKey
		require.NoError(t, json.Unmarshal(r.Body, &page))
		for _, key := range page {
			got = append(got, key.ID)
		}
		if r.Header.Get("Link") == "" {
			break
		}
		path = nextPage(t, r)
	}
	require.Equal(t, want, got, "newest first")
}

func TestLogHasOnlyTheIDsOfKeys(t *testing.T) {
	t.Parallel()
	var log logBuffer
	s := desk.New(t, desk.Options{Log: &log})
	admin := s.Staff(t, sqlc.UserRoleAdmin)
	created := admin.NewAPIKey(t, client.CreateAPIKeyRequest{Name: canary})
	acting := s.Service(t, created.Key, canary).Me(t)
	statusWith(t, s, created.Key+canary)
	s.Service(t, created.Key, canary+" "+canary).Do(t, http.MethodGet, "/me", "").
		RequireProblem(t, http.StatusBadRequest, client.ProblemCodeInvalidParameter)
	revokeKey(t, admin, created.ID)
	revokeKey(t, admin, created.ID)
	for _, event := range []string{"api key created", "api key revoked"} {
		require.Len(t, log.events(event), 1, event)
		for _, part := range []string{"api_key_id=" + created.ID.String(), "by_user_id=" + admin.ID.String(), "user_id=" + created.ServiceID.String()} {
			require.Contains(t, log.events(event)[0], part)
		}
	}
	require.Contains(t, log.String(), "user_id="+acting.ID.String()+" api_key_id="+created.ID.String())
	for _, secret := range []string{canary, created.Key, created.Key[3:], acting.Email} {
		require.NotContains(t, log.String(), secret)
	}
}
