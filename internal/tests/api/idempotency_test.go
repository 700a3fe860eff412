package api_test

import (
	"context"
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
	"github.com/supportbackend/support/internal/idempotency"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
)

const ticketBody = `{"title":"A title","description":"A description"}`

func keyHeader(key string) string { return "Idempotency-Key: " + key }

// requireReplayed checks that a response repeats an earlier one and is marked as a replay.
func requireReplayed(t *testing.T, first, again apitest.Response) {
	t.Helper()
	require.Less(t, first.Status, 300, "%s", first.Body)
	require.Empty(t, first.Header.Values("Idempotency-Replayed"))
	require.Equal(t, []string{"true"}, again.Header.Values("Idempotency-Replayed"), "%d %s", again.Status, again.Body)
	require.NotEqual(t, first.Header.Get("X-Request-Id"), again.Header.Get("X-Request-Id"), "a replay has its own request id")
	again.Header = again.Header.Clone()
	again.Header.Del("Idempotency-Replayed")
	again.Header.Set("X-Request-Id", first.Header.Get("X-Request-Id"))
	requireSame(t, first, again, "a replay")
}

func TestEveryPostCanBeRepeated(t *testing.T) {
	t.Parallel()
	d := desk.New(t, desk.Options{})
	for _, o := range specOperations(t) {
		if o.method != http.MethodPost {
			continue
		}
		t.Run(o.OperationID, func(t *testing.T) {
			c := castOf(t, d)
			path, body := o.request(t, c, o.ownedIDs(t, c))
			kept := countRows(t, c.Desk, "idempotency_keys")
			send := func(path string) apitest.Response {
				header := []string{keyHeader("a-key"), c.admin.Bearer()}
				if body != "" {
					header = append(header, jsonType)
				}
				return c.Do(t, o.method, path, body, header...)
			}
			first, again := send(path), send(path)
			require.Contains(t, o.successes(t), first.Status, "%s", first.Body)
			if o.Extensions["x-idempotency"] == "none" {
				require.Empty(t, again.Header.Values("Idempotency-Replayed"))
				require.Equal(t, kept, countRows(t, c.Desk, "idempotency_keys"), "no key is stored")
				return
			}
			requireReplayed(t, first, again)
			if len(o.pathParameters) > 0 {
				other, _ := o.request(t, c, o.unknownIDs())
				send(other).RequireProblem(t, http.StatusUnprocessableEntity, client.ProblemCodeIdempotencyMismatch)
			}
			require.Equal(t, kept+1, countRows(t, c.Desk, "idempotency_keys"))
		})
	}
}

func TestRepeatedPostHasItsEffectOnce(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	key := keyHeader(uuid.NewString())
	first := d.owner.Do(t, http.MethodPost, "/tickets", ticketBody, jsonType, key)
	require.Equal(t, http.StatusCreated, first.Status)
	require.NotEmpty(t, first.Header.Get("Location"))
	require.NotEmpty(t, first.Header.Get("ETag"))
	requireReplayed(t, first, d.owner.Do(t, http.MethodPost, "/tickets", ticketBody, jsonType, key))
	requireReplayed(t, first, d.owner.Do(t, http.MethodPost, "/tickets", ticketBody, jsonType+"; charset=utf-8", key))
	require.Equal(t, 2, countRows(t, d.Desk, "tickets"))

	// The response is the original one, whatever has changed since.
	d.owner.SetStatus(t, uuid.MustParse(strings.TrimPrefix(first.Header.Get("Location"), "/tickets/")), "pending")
	requireReplayed(t, first, d.owner.Do(t, http.MethodPost, "/tickets", ticketBody, jsonType, key))

	params := plain.CreateMessageParams{IdempotencyKey: new(uuid.NewString())}
	message := client.CreateMessageRequest{Content: "Hello."}
	said, err := d.owner.CreateMessageWithResponse(t.Context(), d.ticket.ID, &params, message)
	require.NoError(t, err)
	again, err := d.owner.CreateMessageWithResponse(t.Context(), d.ticket.ID, &params, message)
	require.NoError(t, err)
	require.Equal(t, said.JSON201, again.JSON201)
	require.Equal(t, "true", again.HTTPResponse.Header.Get("Idempotency-Replayed"))
	require.Len(t, d.owner.Messages(t, d.ticket.ID), 1)
}

func TestParallelRepeatsOfAPostAtTwoReplicasHaveItsEffectOnce(t *testing.T) {
	t.Parallel()
	const many = 100
	d := newCast(t)
	other := desk.New(t, desk.Options{DatabaseURL: d.DatabaseURL})
	replicas := []*apitest.User{d.owner, other.LogIn(t, d.owner.Email, apitest.Password)}
	path := "/tickets/" + d.ticket.ID.String() + "/messages"
	for target, body := range map[string]string{"/tickets": ticketBody, path: `{"content":"Once."}`} {
		key := keyHeader(uuid.NewString())
		responses := make([]apitest.Response, many)
		var sends []func()
		for i := range many {
			sends = append(sends, func() {
				// Some requests may find the server busy, or the first request still running, and must retry.
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
	require.Equal(t, 2, countRows(t, d.Desk, "tickets"))
	require.Equal(t, 1, countRows(t, d.Desk, "messages"))
	require.Equal(t, 2, countRows(t, d.Desk, "idempotency_keys"))
}

func TestRequestWithAKeyInUseIsRefusedAfterAWhile(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	like := idempotency.Request{
		Principal: d.owner.ID, Operation: "createTicket", Key: "a-key", Target: "/tickets", Body: []byte(ticketBody),
	}
	claimed, finished := make(chan struct{}), make(chan struct{})
	finish := sync.OnceFunc(func() { close(finished) })
	defer finish()
	ended := make(chan error, 1)
	go func() {
		_, _, err := d.Keys.Do(t.Context(), like, func(ctx context.Context) (idempotency.Response, error) {
			if err := store.Settle(ctx); err != nil {
				return idempotency.Response{}, err
			}
			close(claimed)
			<-finished
			return idempotency.Response{Status: http.StatusCreated, Body: []byte("{}")}, nil
		})
		ended <- err
	}()
	<-claimed
	r := d.owner.Do(t, http.MethodPost, "/tickets", ticketBody, jsonType, keyHeader("a-key"))
	problem := r.RequireProblem(t, http.StatusConflict, client.ProblemCodeIdempotencyInProgress)
	require.True(t, problem.Retryable)
	seconds, err := strconv.Atoi(r.Header.Get("Retry-After"))
	require.NoError(t, err)
	require.Positive(t, seconds)
	require.Equal(t, 1, countRows(t, d.Desk, "tickets"))
	finish()
	require.NoError(t, <-ended)
}

// One transaction claims the keys of several requests, so that they all wait at the same time.
func TestEveryPostWithAKeyInUseIsRefused(t *testing.T) {
	t.Parallel()
	c := newCast(t)
	c.duplicate = uuid.NewString()
	keyed := slices.DeleteFunc(specOperations(t), func(o specOperation) bool {
		return o.method != http.MethodPost || o.role == "" || o.Extensions["x-idempotency"] == "none"
	})
	const atOnce = 4 // Each request holds one of the eight connections while it waits.
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
					header := []string{keyHeader(r.Key), c.admin.Bearer()}
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

// whileUnderWay calls fn while a transaction holds the keys of these requests.
func whileUnderWay(t *testing.T, c *cast, requests []idempotency.Request, fn func()) {
	t.Helper()
	var claim func(ctx context.Context, rest []idempotency.Request) error
	claim = func(ctx context.Context, rest []idempotency.Request) error {
		if len(rest) == 0 {
			fn()
			return nil
		}
		_, _, err := c.Keys.Do(ctx, rest[0], func(ctx context.Context) (idempotency.Response, error) {
			if err := store.Settle(ctx); err != nil { // Without a statement of its own, the transaction must send the claim explicitly.
				return idempotency.Response{}, err
			}
			return idempotency.Response{Status: http.StatusOK, Body: []byte("{}")}, claim(ctx, rest[1:])
		})
		return err
	}
	require.NoError(t, claim(t.Context(), requests))
}

// keyUse is the first successful request with a key, and its response.
type keyUse struct {
	path, body string
	response   apitest.Response
}

func TestRandomRepeatsFollowTheContract(t *testing.T) {
	t.Parallel()
	const requests = 300
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	d := newCast(t)
	users := []*apitest.User{d.owner, d.Staff(t, sqlc.UserRoleAgent), d.Customer(t)}
	second := d.owner.NewTicket(t)
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
	require.Equal(t, effects, countRows(t, d.Desk, "messages"))
	require.Equal(t, effects, countRows(t, d.Desk, "idempotency_keys"))
}
