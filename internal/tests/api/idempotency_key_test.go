package api_test

import (
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/httpapi/contract"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/storetest"
)

func TestKeyReusedForAnotherRequestIsRefused(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	second := d.owner.NewTicket(t)
	path := "/tickets/" + d.ticket.ID.String() + "/messages"
	key := keyHeader("one-key")
	first := d.owner.Do(t, http.MethodPost, path, `{"content":"Hello."}`, jsonType, key)
	require.Equal(t, http.StatusCreated, first.Status)
	for name, request := range map[string][2]string{
		"another text":                 {path, `{"content":"Hello!"}`},
		"written otherwise":            {path, `{ "content":"Hello."}`},
		"another ticket":               {"/tickets/" + second.ID.String() + "/messages", `{"content":"Hello."}`},
		"a ticket that does not exist": {"/tickets/" + uuid.Must(uuid.NewV7()).String() + "/messages", `{"content":"Hello."}`},
	} {
		r := d.owner.Do(t, http.MethodPost, request[0], request[1], jsonType, key)
		requireRefused(t, r, http.StatusUnprocessableEntity, client.ProblemCodeIdempotencyMismatch)
		require.Equal(t, 1, countRows(t, d.Desk, "messages"), name)
	}
	requireReplayed(t, first, d.owner.Do(t, http.MethodPost, path, `{"content":"Hello."}`, jsonType, key))
}

func TestKeyBelongsToItsCallerAndOperation(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	key := keyHeader("the-same-key")
	path := "/tickets/" + d.ticket.ID.String() + "/messages"
	bodies := map[string]bool{}
	for _, user := range []*apitest.User{d.owner, d.Customer(t), d.Staff(t, sqlc.UserRoleAgent), d.Staff(t, sqlc.UserRoleAdmin)} {
		r := user.Do(t, http.MethodPost, "/tickets", ticketBody, jsonType, key)
		require.Equal(t, http.StatusCreated, r.Status, "%s", r.Body)
		require.Empty(t, r.Header.Values("Idempotency-Replayed"))
		bodies[string(r.Body)] = true
	}
	require.Len(t, bodies, 4, "each caller got its own response")
	said := d.owner.Do(t, http.MethodPost, path, `{"content":"Hello."}`, jsonType, key)
	require.Equal(t, http.StatusCreated, said.Status, "a key of another operation is another key")
	require.Empty(t, said.Header.Values("Idempotency-Replayed"))
}

func TestInvalidIdempotencyKeyIsRefused(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	d.keepStored(t)
	bad := map[string][]string{
		"empty":       {keyHeader("")},
		"too long":    {keyHeader(strings.Repeat("k", 256))},
		"a space":     {keyHeader("a b")},
		"a tab":       {keyHeader("a\tb")},
		"not ASCII":   {keyHeader("schlüssel")},
		"not UTF-8":   {keyHeader("a\xff")},
		"two of them": {keyHeader("a"), keyHeader("b")},
		"one twice":   {keyHeader("a"), keyHeader("a")},
	}
	for _, c := range d.writes(t) {
		if c.method != http.MethodPost {
			continue
		}
		for name, header := range bad {
			r := d.do(t, c, c.body, append(header, jsonType)...)
			problem := r.RequireProblem(t, http.StatusBadRequest, client.ProblemCodeInvalidIdempotencyKey)
			require.Len(t, problem.Errors, 1, name)
			require.Equal(t, "/Idempotency-Key", problem.Errors[0].Pointer)
		}
	}
	require.Zero(t, countRows(t, d.Desk, "idempotency_keys"))
}

func TestAnyVisibleASCIIIsAValidKey(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	var visible strings.Builder
	for b := byte('!'); b <= '~'; b++ {
		visible.WriteByte(b)
	}
	for i, key := range []string{"0", visible.String(), strings.Repeat("k", 255), `"8e03978e-40d5-43dd-bc93-6894a57f9324"`, "null"} {
		first := d.owner.Do(t, http.MethodPost, "/tickets", ticketBody, jsonType, keyHeader(key))
		requireReplayed(t, first, d.owner.Do(t, http.MethodPost, "/tickets", ticketBody, jsonType, keyHeader(key)))
		require.Equal(t, i+2, countRows(t, d.Desk, "tickets"))
	}
}

// A refused request has no effect, so its key stays unused and the client may fix the request.
func TestRefusedRequestLeavesItsKeyUnused(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	stranger := d.Customer(t)
	path := "/tickets/" + d.ticket.ID.String() + "/messages"
	good := `{"content":"Hello."}`
	key := keyHeader("a-key")
	for _, status := range []client.TicketStatus{"pending", "resolved", "closed"} {
		d.owner.SetStatus(t, d.ticket.ID, status)
	}
	d.Do(t, http.MethodPost, path, good, jsonType, key).
		RequireProblem(t, http.StatusUnauthorized, client.ProblemCodeUnauthenticated)
	for _, refused := range []struct {
		user   *apitest.User
		body   string
		header string
		status int
		code   client.ProblemCode
	}{
		{stranger, good, jsonType, http.StatusNotFound, client.ProblemCodeNotFound},
		{d.owner, good, jsonType, http.StatusConflict, client.ProblemCodeTicketClosed},
		{d.owner, good, "Content-Type: text/plain", http.StatusUnsupportedMediaType, client.ProblemCodeUnsupportedMediaType},
		{d.owner, `{"content":""}`, jsonType, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed},
		{d.owner, `{"content"`, jsonType, http.StatusBadRequest, client.ProblemCodeMalformedRequest},
		{
			d.owner, `{"content":"` + strings.Repeat("x", 2*contract.LeastBodyLimit) + `"}`, jsonType,
			http.StatusRequestEntityTooLarge, client.ProblemCodePayloadTooLarge,
		},
	} {
		r := refused.user.Do(t, http.MethodPost, path, refused.body, refused.header, key)
		r.RequireProblem(t, refused.status, refused.code)
		require.Zero(t, countRows(t, d.Desk, "idempotency_keys"), refused.code)
	}
	d.owner.SetStatus(t, d.ticket.ID, "open")
	first := d.owner.Do(t, http.MethodPost, path, good, jsonType, key)
	requireReplayed(t, first, d.owner.Do(t, http.MethodPost, path, good, jsonType, key))
	require.Equal(t, 1, countRows(t, d.Desk, "messages"))
}

func TestServerErrorLeavesTheKeyUnused(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	path := "/tickets/" + d.ticket.ID.String() + "/messages"
	send := func() apitest.Response {
		return d.owner.Do(t, http.MethodPost, path, `{"content":"Hello."}`, jsonType, keyHeader("a-key"))
	}
	// The message is written, but the key cannot be stored.
	storetest.Exec(t, d.DatabaseURL, "ALTER TABLE idempotency_keys ADD CONSTRAINT broken CHECK (status = 299)")
	send().RequireProblem(t, http.StatusInternalServerError, client.ProblemCodeInternal)
	storetest.Exec(t, d.DatabaseURL, "ALTER TABLE idempotency_keys DROP CONSTRAINT broken")
	require.Zero(t, countRows(t, d.Desk, "messages"), "no effect without the stored key")
	// The key is claimed, but the message cannot be written.
	storetest.Exec(t, d.DatabaseURL, "ALTER TABLE messages ADD CONSTRAINT broken CHECK (content = '') NOT VALID")
	send().RequireProblem(t, http.StatusInternalServerError, client.ProblemCodeInternal)
	storetest.Exec(t, d.DatabaseURL, "ALTER TABLE messages DROP CONSTRAINT broken")
	require.Zero(t, countRows(t, d.Desk, "idempotency_keys"), "no stored key without the effect")

	first := send()
	requireReplayed(t, first, send())
	require.Equal(t, 1, countRows(t, d.Desk, "messages"))
}

func TestKeyIsKeptForADay(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	key := keyHeader("a-key")
	send := func() apitest.Response {
		return d.owner.Do(t, http.MethodPost, "/tickets", ticketBody, jsonType, key)
	}
	age := func(interval string) {
		storetest.Exec(t, d.DatabaseURL, "UPDATE idempotency_keys SET created_at = now() - $1::interval", interval)
	}
	first := send()
	age("23 hours 59 minutes")
	require.NoError(t, d.Keys.Sweep(t.Context()))
	requireReplayed(t, first, send())

	age("24 hours 1 minute")
	second := send()
	require.Equal(t, http.StatusCreated, second.Status)
	require.Empty(t, second.Header.Values("Idempotency-Replayed"), "after a day, the request has its effect again")
	require.NotEqual(t, first.Body, second.Body)
	requireReplayed(t, second, send())

	age("24 hours 1 minute")
	require.NoError(t, d.Keys.Sweep(t.Context()))
	require.Zero(t, countRows(t, d.Desk, "idempotency_keys"))
	require.Equal(t, 3, countRows(t, d.Desk, "tickets"))
}

func TestKeyItselfIsNotStored(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	r := d.owner.Do(t, http.MethodPost, "/tickets", ticketBody, jsonType, keyHeader(canary))
	require.Equal(t, http.StatusCreated, r.Status)
	row := storetest.QueryText(t, d.DatabaseURL, "SELECT k::text FROM idempotency_keys AS k")
	require.NotEmpty(t, row)
	require.NotContains(t, row, canary)
	require.NotContains(t, row, hex.EncodeToString([]byte(canary)))
}
