package api_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/httpapi/contract"
	"github.com/supportbackend/support/internal/idempotency"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/storetest"
)

const ticketBody = `{"title":"A title","description":"A description"}`

func keyHeader(key string) string { return "Idempotency-Key: " + key }

// requireReplayed wants a response to be the same as an earlier one, and to say so.
func requireReplayed(t *testing.T, first, again apitest.Response) {
	t.Helper()
	require.Less(t, first.Status, 300, "%s", first.Body)
	require.Empty(t, first.Header.Values("Idempotency-Replayed"))
	require.Equal(t, []string{"true"}, again.Header.Values("Idempotency-Replayed"), "%d %s", again.Status, again.Body)
	require.NotEqual(t, first.Header.Get("X-Request-Id"), again.Header.Get("X-Request-Id"), "it is a request of its own")
	again.Header = again.Header.Clone()
	again.Header.Del("Idempotency-Replayed")
	again.Header.Set("X-Request-Id", first.Header.Get("X-Request-Id"))
	requireSame(t, first, again, "a replay")
}

func TestEveryPostMayBeSentAgain(t *testing.T) {
	t.Parallel()
	all := newStages(t, apitest.Options{})
	for _, o := range specOperations(t) {
		if o.method != http.MethodPost {
			continue
		}
		t.Run(o.OperationID, func(t *testing.T) {
			t.Parallel()
			c := all.cast(t)
			path, body := o.request(t, c, o.ownedIDs(t, c))
			kept := countRows(t, c.Server, "idempotency_keys")
			send := func(path string) apitest.Response {
				header := []string{keyHeader("a-key"), c.admin.bearer()}
				if body != "" {
					header = append(header, jsonType)
				}
				return c.Do(t, o.method, path, body, header...)
			}
			first, again := send(path), send(path)
			require.Contains(t, o.successes(t), first.Status, "%s", first.Body)
			if o.Extensions["x-idempotency"] == "none" {
				require.Empty(t, again.Header.Values("Idempotency-Replayed"))
				require.Equal(t, kept, countRows(t, c.Server, "idempotency_keys"), "nothing is kept")
				return
			}
			requireReplayed(t, first, again)
			if len(o.pathParameters) > 0 {
				other, _ := o.request(t, c, o.unknownIDs())
				send(other).RequireProblem(t, http.StatusUnprocessableEntity, client.ProblemCodeIdempotencyMismatch)
			}
			require.Equal(t, kept+1, countRows(t, c.Server, "idempotency_keys"))
		})
	}
}

func TestRepeatedPostHasItsEffectOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	key := keyHeader(uuid.NewString())
	first := d.customer.Do(t, http.MethodPost, "/tickets", ticketBody, jsonType, key)
	require.Equal(t, http.StatusCreated, first.Status)
	require.NotEmpty(t, first.Header.Get("Location"))
	require.NotEmpty(t, first.Header.Get("ETag"))
	requireReplayed(t, first, d.customer.Do(t, http.MethodPost, "/tickets", ticketBody, jsonType, key))
	requireReplayed(t, first, d.customer.Do(t, http.MethodPost, "/tickets", ticketBody, jsonType+"; charset=utf-8", key))
	require.Equal(t, 2, d.count(t, "tickets"))

	// The response is the one of that time, whatever has happened since.
	d.customer.SetStatus(t, uuid.MustParse(strings.TrimPrefix(first.Header.Get("Location"), "/tickets/")), "pending")
	requireReplayed(t, first, d.customer.Do(t, http.MethodPost, "/tickets", ticketBody, jsonType, key))

	params := plain.CreateMessageParams{IdempotencyKey: new(uuid.NewString())}
	message := client.CreateMessageRequest{Content: "Hello."}
	said, err := d.customer.CreateMessageWithResponse(t.Context(), d.ticket.ID, &params, message)
	require.NoError(t, err)
	again, err := d.customer.CreateMessageWithResponse(t.Context(), d.ticket.ID, &params, message)
	require.NoError(t, err)
	require.Equal(t, said.JSON201, again.JSON201)
	require.Equal(t, "true", again.HTTPResponse.Header.Get("Idempotency-Replayed"))
	require.Len(t, d.customer.Messages(t, d.ticket.ID), 1)
}

func TestParallelRepeatsOfAPostAtTwoReplicasHaveItsEffectOnce(t *testing.T) {
	t.Parallel()
	const many = 100
	d := newDesk(t)
	other := apitest.New(t, apitest.Options{DatabaseURL: d.DatabaseURL})
	replicas := []*apitest.User{d.customer, other.LogIn(t, d.customer.Email, apitest.Password)}
	path := "/tickets/" + d.ticket.ID.String() + "/messages"
	for target, body := range map[string]string{"/tickets": ticketBody, path: `{"content":"Once."}`} {
		key := keyHeader(uuid.NewString())
		responses := make([]apitest.Response, many)
		var sends []func()
		for i := range many {
			sends = append(sends, func() {
				// Some may be told that the server is busy, or their like under way, and to try again.
				for retryable := true; retryable; retryable = responses[i].Header.Get("Retry-After") != "" {
					responses[i] = replicas[i%2].Do(t, http.MethodPost, target, body, jsonType, key)
				}
			})
		}
		race(sends...)
		originals := 0
		for _, r := range responses {
			require.Equal(t, http.StatusCreated, r.Status, "%s", r.Body)
			require.Equal(t, responses[0].Body, r.Body)
			require.Equal(t, responses[0].Header.Get("Location"), r.Header.Get("Location"))
			if r.Header.Get("Idempotency-Replayed") == "" {
				originals++
			}
		}
		require.Equal(t, 1, originals, target)
	}
	require.Equal(t, 2, d.count(t, "tickets"))
	require.Equal(t, 1, d.count(t, "messages"))
	require.Equal(t, 2, countRows(t, d.Server, "idempotency_keys"))
}

func TestKeyOfAnotherRequestIsRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	second := d.customer.NewTicket(t)
	path := "/tickets/" + d.ticket.ID.String() + "/messages"
	key := keyHeader("one-key")
	first := d.customer.Do(t, http.MethodPost, path, `{"content":"Hello."}`, jsonType, key)
	require.Equal(t, http.StatusCreated, first.Status)
	for name, request := range map[string][2]string{
		"another text":          {path, `{"content":"Hello!"}`},
		"written otherwise":     {path, `{ "content":"Hello."}`},
		"another ticket":        {"/tickets/" + second.ID.String() + "/messages", `{"content":"Hello."}`},
		"a ticket there is not": {"/tickets/" + uuid.Must(uuid.NewV7()).String() + "/messages", `{"content":"Hello."}`},
	} {
		r := d.customer.Do(t, http.MethodPost, request[0], request[1], jsonType, key)
		requireRefused(t, r, http.StatusUnprocessableEntity, client.ProblemCodeIdempotencyMismatch)
		require.Equal(t, 1, d.count(t, "messages"), name)
	}
	requireReplayed(t, first, d.customer.Do(t, http.MethodPost, path, `{"content":"Hello."}`, jsonType, key))
}

func TestKeyIsItsSendersAndItsOperations(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	key := keyHeader("the-same-key")
	path := "/tickets/" + d.ticket.ID.String() + "/messages"
	bodies := map[string]bool{}
	for _, user := range []*apitest.User{d.customer, d.Customer(t), d.Staff(t, sqlc.UserRoleAgent), d.Staff(t, sqlc.UserRoleAdmin)} {
		r := user.Do(t, http.MethodPost, "/tickets", ticketBody, jsonType, key)
		require.Equal(t, http.StatusCreated, r.Status, "%s", r.Body)
		require.Empty(t, r.Header.Values("Idempotency-Replayed"))
		bodies[string(r.Body)] = true
	}
	require.Len(t, bodies, 4, "nobody got another's response")
	said := d.customer.Do(t, http.MethodPost, path, `{"content":"Hello."}`, jsonType, key)
	require.Equal(t, http.StatusCreated, said.Status, "a key of another operation is another key")
	require.Empty(t, said.Header.Values("Idempotency-Replayed"))
}

func TestBadIdempotencyKeyIsRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
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
	require.Zero(t, countRows(t, d.Server, "idempotency_keys"))
}

func TestAnyVisibleASCIIMakesAKey(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var visible strings.Builder
	for b := byte('!'); b <= '~'; b++ {
		visible.WriteByte(b)
	}
	for i, key := range []string{"0", visible.String(), strings.Repeat("k", 255), `"8e03978e-40d5-43dd-bc93-6894a57f9324"`, "null"} {
		first := d.customer.Do(t, http.MethodPost, "/tickets", ticketBody, jsonType, keyHeader(key))
		requireReplayed(t, first, d.customer.Do(t, http.MethodPost, "/tickets", ticketBody, jsonType, keyHeader(key)))
		require.Equal(t, i+2, d.count(t, "tickets"))
	}
}

// Whatever is refused has had no effect, so the key stays unused and the request may be fixed.
func TestRefusedRequestLeavesItsKeyUnused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	stranger := d.Customer(t)
	path := "/tickets/" + d.ticket.ID.String() + "/messages"
	good := `{"content":"Hello."}`
	key := keyHeader("a-key")
	for _, status := range []client.TicketStatus{"pending", "resolved", "closed"} {
		d.customer.SetStatus(t, d.ticket.ID, status)
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
		{d.customer, good, jsonType, http.StatusConflict, client.ProblemCodeTicketClosed},
		{d.customer, good, "Content-Type: text/plain", http.StatusUnsupportedMediaType, client.ProblemCodeUnsupportedMediaType},
		{d.customer, `{"content":""}`, jsonType, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed},
		{d.customer, `{"content"`, jsonType, http.StatusBadRequest, client.ProblemCodeMalformedRequest},
		{
			d.customer, `{"content":"` + strings.Repeat("x", 2*contract.LeastBodyLimit) + `"}`, jsonType,
			http.StatusRequestEntityTooLarge, client.ProblemCodePayloadTooLarge,
		},
	} {
		r := refused.user.Do(t, http.MethodPost, path, refused.body, refused.header, key)
		r.RequireProblem(t, refused.status, refused.code)
		require.Zero(t, countRows(t, d.Server, "idempotency_keys"), refused.code)
	}
	d.customer.SetStatus(t, d.ticket.ID, "open")
	first := d.customer.Do(t, http.MethodPost, path, good, jsonType, key)
	requireReplayed(t, first, d.customer.Do(t, http.MethodPost, path, good, jsonType, key))
	require.Equal(t, 1, d.count(t, "messages"))
}

func TestFaultOfTheServerLeavesTheKeyUnused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	path := "/tickets/" + d.ticket.ID.String() + "/messages"
	send := func() apitest.Response {
		return d.customer.Do(t, http.MethodPost, path, `{"content":"Hello."}`, jsonType, keyHeader("a-key"))
	}
	// The handler has written the message when the memory of the key cannot be written.
	storetest.Exec(t, d.DatabaseURL, "ALTER TABLE idempotency_keys ADD CONSTRAINT broken CHECK (status IS NULL)")
	send().RequireProblem(t, http.StatusInternalServerError, client.ProblemCodeInternal)
	storetest.Exec(t, d.DatabaseURL, "ALTER TABLE idempotency_keys DROP CONSTRAINT broken")
	require.Zero(t, d.count(t, "messages"), "there is no effect without its key")
	// The key has been claimed when the message cannot be written.
	storetest.Exec(t, d.DatabaseURL, "ALTER TABLE messages ADD CONSTRAINT broken CHECK (content = '') NOT VALID")
	send().RequireProblem(t, http.StatusInternalServerError, client.ProblemCodeInternal)
	storetest.Exec(t, d.DatabaseURL, "ALTER TABLE messages DROP CONSTRAINT broken")
	require.Zero(t, countRows(t, d.Server, "idempotency_keys"), "there is no key without its effect")

	first := send()
	requireReplayed(t, first, send())
	require.Equal(t, 1, d.count(t, "messages"))
}

func TestRequestWhoseLikeIsUnderWayIsToldSoAfterAWhile(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	like := idempotency.Request{
		Principal: d.customer.ID, Operation: "createTicket", Key: "a-key", Target: "/tickets", Body: []byte(ticketBody),
	}
	claimed, finished := make(chan struct{}), make(chan struct{})
	finish := sync.OnceFunc(func() { close(finished) })
	defer finish()
	ended := make(chan error, 1)
	go func() {
		_, _, err := d.Keys.Do(t.Context(), like, func(context.Context) (idempotency.Response, error) {
			close(claimed)
			<-finished
			return idempotency.Response{Status: http.StatusCreated, Body: []byte("{}")}, nil
		})
		ended <- err
	}()
	<-claimed
	r := d.customer.Do(t, http.MethodPost, "/tickets", ticketBody, jsonType, keyHeader("a-key"))
	problem := r.RequireProblem(t, http.StatusConflict, client.ProblemCodeIdempotencyInProgress)
	require.True(t, problem.Retryable)
	seconds, err := strconv.Atoi(r.Header.Get("Retry-After"))
	require.NoError(t, err)
	require.Positive(t, seconds)
	require.Equal(t, 1, d.count(t, "tickets"))
	finish()
	require.NoError(t, <-ended)
}

// The claims of several requests stand in one transaction, so that each wait serves them all.
func TestEveryPostWhoseLikeIsUnderWayIsToldSo(t *testing.T) {
	t.Parallel()
	c := newCast(t)
	c.duplicate = uuid.NewString()
	keyed := slices.DeleteFunc(specOperations(t), func(o specOperation) bool {
		return o.method != http.MethodPost || o.role == "" || o.Extensions["x-idempotency"] == "none"
	})
	const atOnce = 4 // Each waits with a connection of its own, of the eight that there are.
	for some := range slices.Chunk(keyed, atOnce) {
		var asked []idempotency.Request
		for _, o := range some {
			path, body := o.request(t, c, o.unknownIDs())
			asked = append(asked, idempotency.Request{
				Principal: c.admin.ID, Operation: o.OperationID, Key: "a-key", Target: path, Body: []byte(body),
			})
		}
		whileUnderWay(t, c, asked, func() {
			answers := make([]apitest.Response, len(asked))
			var waiting sync.WaitGroup
			for i, r := range asked {
				waiting.Go(func() {
					header := []string{keyHeader(r.Key), c.admin.bearer()}
					if len(r.Body) > 0 {
						header = append(header, jsonType)
					}
					answers[i] = c.Do(t, http.MethodPost, r.Target, string(r.Body), header...)
				})
			}
			waiting.Wait()
			for i, answer := range answers {
				require.Equal(t, http.StatusConflict, answer.Status, "%s: %s", asked[i].Operation, answer.Body)
				answer.RequireProblem(t, http.StatusConflict, client.ProblemCodeIdempotencyInProgress)
			}
		})
	}
}

// whileUnderWay calls fn while requests like these have claimed their keys and have not ended.
func whileUnderWay(t *testing.T, c *cast, requests []idempotency.Request, fn func()) {
	t.Helper()
	var claim func(ctx context.Context, rest []idempotency.Request) error
	claim = func(ctx context.Context, rest []idempotency.Request) error {
		if len(rest) == 0 {
			fn()
			return nil
		}
		_, _, err := c.Keys.Do(ctx, rest[0], func(ctx context.Context) (idempotency.Response, error) {
			return idempotency.Response{Status: http.StatusOK, Body: []byte("{}")}, claim(ctx, rest[1:])
		})
		return err
	}
	require.NoError(t, claim(t.Context(), requests))
}

func TestKeyIsRememberedForADay(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	key := keyHeader("a-key")
	send := func() apitest.Response {
		return d.customer.Do(t, http.MethodPost, "/tickets", ticketBody, jsonType, key)
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
	require.Empty(t, second.Header.Values("Idempotency-Replayed"), "a day later it is another effect")
	require.NotEqual(t, first.Body, second.Body)
	requireReplayed(t, second, send())

	age("24 hours 1 minute")
	require.NoError(t, d.Keys.Sweep(t.Context()))
	require.Zero(t, countRows(t, d.Server, "idempotency_keys"))
	require.Equal(t, 3, d.count(t, "tickets"))
}

func TestKeyItselfIsNotStored(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	r := d.customer.Do(t, http.MethodPost, "/tickets", ticketBody, jsonType, keyHeader(canary))
	require.Equal(t, http.StatusCreated, r.Status)
	row := storetest.QueryText(t, d.DatabaseURL, "SELECT k::text FROM idempotency_keys AS k")
	require.NotEmpty(t, row)
	require.NotContains(t, row, canary)
	require.NotContains(t, row, hex.EncodeToString([]byte(canary)))
}

// keyUse is what a key was first used for with success, and what came of it.
type keyUse struct {
	path, body string
	response   apitest.Response
}

func TestRandomRepeatsAreRememberedAsTheContractSays(t *testing.T) {
	t.Parallel()
	const requests = 300
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	d := newDesk(t)
	users := []*apitest.User{d.customer, d.Staff(t, sqlc.UserRoleAgent), d.Customer(t)}
	second := d.customer.NewTicket(t)
	tickets := []uuid.UUID{d.ticket.ID, second.ID}
	used := map[string]keyUse{}
	effects := 0
	for i := range requests {
		who := random.IntN(len(users))
		key := strconv.Itoa(random.IntN(8))
		path := "/tickets/" + tickets[random.IntN(2)].String() + "/messages"
		body := fmt.Sprintf(`{"content":"%d"}`, random.IntN(2))
		scope := fmt.Sprint(who, " ", key)
		before, known := used[scope]
		r := users[who].Do(t, http.MethodPost, path, body, jsonType, keyHeader(key))
		switch {
		case known && before.path == path && before.body == body:
			requireReplayed(t, before.response, r)
		case known:
			r.RequireProblem(t, http.StatusUnprocessableEntity, client.ProblemCodeIdempotencyMismatch)
		case who == 2:
			r.RequireProblem(t, http.StatusNotFound, client.ProblemCodeNotFound)
		default:
			require.Equal(t, http.StatusCreated, r.Status, "request %d: %s", i, r.Body)
			require.Empty(t, r.Header.Values("Idempotency-Replayed"))
			used[scope] = keyUse{path: path, body: body, response: r}
			effects++
		}
	}
	require.Equal(t, effects, d.count(t, "messages"))
	require.Equal(t, effects, countRows(t, d.Server, "idempotency_keys"))
}
