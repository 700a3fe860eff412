package idempotency_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/idempotency"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/testing/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// fixture is two replicas of the service on one database.
type fixture struct {
	url        string
	one, other replica
}

type replica struct {
	*idempotency.Service
	store *store.Store
}

func newReplica(t *testing.T, url string) replica {
	t.Helper()
	s := storetest.Open(t, url)
	return replica{idempotency.NewService(s), s}
}

// effect runs a statement of a request's effect, which also claims the key.
func (r replica) effect(ctx context.Context) error {
	_, err := r.store.GetJournalOldest(ctx)
	return err
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	url := storetest.NewURL(t)
	return fixture{url: url, one: newReplica(t, url), other: newReplica(t, url)}
}

var errBroken = errors.New("broken on purpose")

func newRequest() idempotency.Request {
	return idempotency.Request{
		Principal: uuid.Must(uuid.NewV7()), Operation: "createTicket", Key: "a-key", Target: "/tickets", Body: []byte("{}"),
	}
}

func answer(body string) func(context.Context) (idempotency.Response, error) {
	return func(context.Context) (idempotency.Response, error) {
		return idempotency.Response{
			Status: http.StatusCreated, Header: map[string][]string{"Location": {"/x"}}, Body: []byte(body),
		}, nil
	}
}

// result is what a call of Do returned.
type result struct {
	response idempotency.Response
	replayed bool
	err      error
}

// begin calls Do in the background and returns once its function runs. finish ends the function with the error.
func begin(t *testing.T, s replica, r idempotency.Request) (finish func(error), ended <-chan result) {
	t.Helper()
	running, gate, results := make(chan struct{}), make(chan error, 1), make(chan result, 1)
	go func() {
		response, replayed, err := s.Do(t.Context(), r, func(ctx context.Context) (idempotency.Response, error) {
			if err := s.effect(ctx); err != nil {
				return idempotency.Response{}, err
			}
			close(running)
			if err := <-gate; err != nil {
				return idempotency.Response{}, err
			}
			return answer("first")(ctx)
		})
		results <- result{response, replayed, err}
	}()
	<-running
	return func(err error) { gate <- err }, results
}

func TestRepeatedRequestWaitsAndGetsTheResponse(t *testing.T) {
	t.Parallel()
	b, r := newFixture(t), newRequest()
	finish, first := begin(t, b.one, r)
	second := make(chan result, 1)
	go func() {
		response, replayed, err := b.other.Do(t.Context(), r, answer("second"))
		second <- result{response, replayed, err}
	}()
	storetest.AwaitWaiting(t, b.url, 1)
	finish(nil)
	original, repeat := <-first, <-second
	require.NoError(t, original.err)
	require.False(t, original.replayed)
	require.NoError(t, repeat.err)
	require.True(t, repeat.replayed)
	require.Equal(t, original.response, repeat.response)
}

func TestRepeatedRequestWaitsAndRunsWhenTheFirstFails(t *testing.T) {
	t.Parallel()
	b, r := newFixture(t), newRequest()
	finish, first := begin(t, b.one, r)
	second := make(chan result, 1)
	go func() {
		response, replayed, err := b.other.Do(t.Context(), r, answer("second"))
		second <- result{response, replayed, err}
	}()
	storetest.AwaitWaiting(t, b.url, 1)
	finish(errBroken)
	require.ErrorIs(t, (<-first).err, errBroken)
	repeat := <-second
	require.NoError(t, repeat.err)
	require.False(t, repeat.replayed)
	require.Equal(t, "second", string(repeat.response.Body))
}

func TestRepeatedRequestDoesNotWaitForLong(t *testing.T) {
	t.Parallel()
	b, r := newFixture(t), newRequest()
	finish, first := begin(t, b.one, r)
	_, _, err := b.other.Do(t.Context(), r, func(ctx context.Context) (idempotency.Response, error) {
		err := b.other.effect(ctx)
		require.Error(t, err, "both requests run at the same time")
		return idempotency.Response{}, err
	})
	require.True(t, apperr.Is(err, apperr.IdempotencyInProgress), "%v", err)
	finish(nil)
	require.NoError(t, (<-first).err)
}

func TestResponseWithoutABodyIsStored(t *testing.T) {
	t.Parallel()
	b, r := newFixture(t), newRequest()
	for _, replayed := range []bool{false, true} {
		response, got, err := b.one.Do(t.Context(), r, func(context.Context) (idempotency.Response, error) {
			return idempotency.Response{Status: http.StatusNoContent}, nil
		})
		require.NoError(t, err)
		require.Equal(t, replayed, got)
		require.Equal(t, http.StatusNoContent, response.Status)
		require.Empty(t, response.Body)
		require.Empty(t, response.Header)
	}
}

// A failure must not be replayed.
func TestOnlySuccessesAreStored(t *testing.T) {
	t.Parallel()
	b, r := newFixture(t), newRequest()
	for _, status := range []int{0, 199, http.StatusMultipleChoices, http.StatusNotFound, http.StatusInternalServerError} {
		_, _, err := b.one.Do(t.Context(), r, func(context.Context) (idempotency.Response, error) {
			return idempotency.Response{Status: status}, nil
		})
		require.Error(t, err, status)
	}
	require.Zero(t, storetest.QueryInt(t, b.url, "SELECT count(*) FROM idempotency_keys"))
}

// The parts of a key's scope must not run together: different scopes are different keys.
func TestKeysOfDifferentScopesAreDifferent(t *testing.T) {
	t.Parallel()
	b, r := newFixture(t), newRequest()
	others := map[string]idempotency.Request{"itself": r}
	for name, change := range map[string]func(*idempotency.Request){
		"another principal":   func(r *idempotency.Request) { r.Principal = uuid.Must(uuid.NewV7()) },
		"another operation":   func(r *idempotency.Request) { r.Operation = "createMessage" },
		"another key":         func(r *idempotency.Request) { r.Key = "b-key" },
		"a longer operation":  func(r *idempotency.Request) { r.Operation, r.Key = "createTicketa", "-key" },
		"a shorter operation": func(r *idempotency.Request) { r.Operation, r.Key = "createTicke", "ta-key" },
	} {
		other := r
		change(&other)
		others[name] = other
	}
	for name, other := range others {
		_, replayed, err := b.one.Do(t.Context(), other, answer(name))
		require.NoError(t, err)
		require.False(t, replayed, name)
	}
	for name, change := range map[string]func(*idempotency.Request){
		"another target":   func(r *idempotency.Request) { r.Target = "/ticket" },
		"a longer target":  func(r *idempotency.Request) { r.Target, r.Body = "/tickets{", []byte("}") },
		"a shorter target": func(r *idempotency.Request) { r.Target, r.Body = "/ticket", []byte("s{}") },
		"another body":     func(r *idempotency.Request) { r.Body = []byte("{ }") },
		"no body":          func(r *idempotency.Request) { r.Body = nil },
	} {
		other := r
		change(&other)
		_, _, err := b.one.Do(t.Context(), other, answer(name))
		require.True(t, apperr.Is(err, apperr.IdempotencyMismatch), "%s: %v", name, err)
	}
}

func TestOldKeysAreDeletedInBatchesAndOthersKept(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	storetest.Exec(t, b.url, `INSERT INTO idempotency_keys (id, fingerprint, user_id, status, headers, body, created_at)
		SELECT sha256(i::text::bytea), sha256(''), gen_random_uuid(), 200, '{}', '', now() - interval '23 hours' - i * interval '1 second'
		FROM generate_series(1, 6100) AS i`)
	require.NoError(t, b.one.Sweep(t.Context()))
	require.InDelta(t, 3600, storetest.QueryInt(t, b.url, "SELECT count(*) FROM idempotency_keys"), 60)
}

func TestOneOfManyReusesAnOldKey(t *testing.T) {
	t.Parallel()
	const many = 20
	b, r := newFixture(t), newRequest()
	_, _, err := b.one.Do(t.Context(), r, answer("first"))
	require.NoError(t, err)
	storetest.Exec(t, b.url, "UPDATE idempotency_keys SET created_at = now() - interval '25 hours'")
	results := make(chan result, many)
	for i := range many {
		go func() {
			s := []replica{b.one, b.other}[i%2]
			response, replayed, err := s.Do(t.Context(), r, answer("again "+strconv.Itoa(i)))
			results <- result{response, replayed, err}
		}()
	}
	originals, bodies := 0, map[string]bool{}
	for range many {
		got := <-results
		require.NoError(t, got.err)
		bodies[string(got.response.Body)] = true
		if !got.replayed {
			originals++
		}
	}
	require.Equal(t, 1, originals)
	require.Len(t, bodies, 1)
	require.NotContains(t, bodies, "first")
}

func TestSweepSkipsAKeyThatIsReused(t *testing.T) {
	t.Parallel()
	b, r := newFixture(t), newRequest()
	_, _, err := b.one.Do(t.Context(), r, answer("first"))
	require.NoError(t, err)
	storetest.Exec(t, b.url, "UPDATE idempotency_keys SET created_at = now() - interval '25 hours'")
	finish, ended := begin(t, b.one, r)
	require.NoError(t, b.other.Sweep(t.Context()), "the sweep does not wait")
	finish(nil)
	again := <-ended
	require.NoError(t, again.err)
	require.False(t, again.replayed)
	_, replayed, err := b.other.Do(t.Context(), r, answer("third"))
	require.NoError(t, err)
	require.True(t, replayed)
}

// The first statement of the effect claims the key, so a used key ends the request before anything else.
func TestUsedKeyRollsBackTheEffect(t *testing.T) {
	t.Parallel()
	b, r := newFixture(t), newRequest()
	write := func(broken error) (idempotency.Response, bool, error) {
		return b.one.Do(t.Context(), r, func(ctx context.Context) (idempotency.Response, error) {
			if err := b.one.store.CreateJournalEntry(ctx, sqlc.CreateJournalEntryParams{
				Type: "ticket.created", ActorKind: sqlc.ActorKindSystem, Data: []byte("{}"),
			}); err != nil {
				return idempotency.Response{}, err
			}
			response, _ := answer("first")(ctx)
			return response, broken
		})
	}
	original, replayed, err := write(nil)
	require.NoError(t, err)
	require.False(t, replayed)
	repeat, replayed, err := write(errBroken)
	require.NoError(t, err)
	require.True(t, replayed)
	require.Equal(t, original, repeat)
	require.Equal(t, 1, storetest.QueryInt(t, b.url, "SELECT count(*) FROM journal_outbox"))

	repeat, replayed, err = b.one.Do(t.Context(), r, func(context.Context) (idempotency.Response, error) {
		return idempotency.Response{}, errBroken
	})
	require.NoError(t, err, "a request that fails before its first statement still gets the stored response")
	require.True(t, replayed)
	require.Equal(t, original, repeat)
}
