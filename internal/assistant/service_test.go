package assistant_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant"
	"github.com/supportbackend/support/internal/assistant/eventlog"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/config"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/groq"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/testing/groqtest"
	"github.com/supportbackend/support/internal/testing/storetest"
	"github.com/supportbackend/support/internal/ticket"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// fixture is a service with its dependencies, and one customer with a ticket.
type fixture struct {
	service   *assistant.Service
	patience  time.Duration
	client    *groq.Client
	upstream  string
	simulator *groqsim.Simulator
	store     *store.Store
	url       string
	customer  auth.Actor
	ticket    sqlc.Ticket
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return newFixtureWith(t, config.Defaults().FirstEventPatience)
}

// newFixtureWith is newFixture with services that wait this long for the first event before they open a stream.
func newFixtureWith(t *testing.T, patience time.Duration) *fixture {
	t.Helper()
	b := &fixture{patience: patience, simulator: groqsim.New(groqsim.Options{})}
	b.url, b.store = storetest.Lend(t)
	upstream := groqtest.Serve(t, b.simulator)
	client, err := groq.New(groq.Options{BaseURL: upstream, APIKey: "k", Limits: assistant.DefaultLimits()})
	require.NoError(t, err)
	b.client, b.upstream = client, upstream
	b.service = b.another(t)
	user, err := b.store.CreateUser(t.Context(), sqlc.CreateUserParams{
		ID: uuid.Must(uuid.NewV7()), Email: "ada@example.com", PasswordHash: "x", Role: sqlc.UserRoleUser,
	})
	require.NoError(t, err)
	b.customer = auth.Actor{ID: user.ID, Role: user.Role}
	b.ticket, err = ticket.NewService(b.store, ticket.Options{AIMode: sqlc.AIModeAuto}).Create(t.Context(), b.customer, "title", "description")
	require.NoError(t, err)
	return b
}

// another starts another service on the same database, like that of another process.
func (b *fixture) another(t *testing.T) *assistant.Service {
	t.Helper()
	o := assistant.DefaultOptions(b.client, t.Output())
	o.Patience = b.patience
	service := assistant.NewService(storetest.Open(t, b.url), o)
	run(t, service)
	return service
}

// run runs a service until stop is called or the test ends. It stops like a process without time to drain.
func run(t *testing.T, service *assistant.Service) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { service.Run(ctx) })
	stop = sync.OnceFunc(func() {
		over, end := context.WithCancel(context.Background())
		end()
		service.Drain(over)
		cancel()
		running.Wait()
	})
	t.Cleanup(stop)
	return stop
}

// hold makes the simulator hold the next answer at the gate.
func (b *fixture) hold(t *testing.T, gate string, after int) {
	t.Helper()
	require.NoError(t, b.simulator.Enqueue(groqsim.Script{Gates: []groqsim.Gate{{Name: gate, After: after}}}))
}

// expire lets the leases of all answers expire. Their owners run on, and would renew leases of their own.
func (b *fixture) expire(t *testing.T) {
	t.Helper()
	storetest.Exec(t, b.url, "UPDATE ai_responses SET owner_id = gen_random_uuid(), lease_expires_at = now() - interval '1 minute'")
}

func (b *fixture) open(t *testing.T) *assistant.Reader {
	t.Helper()
	reader, err := b.service.Open(t.Context(), b.customer, b.ticket.ID, eventlog.EventID{})
	require.NoError(t, err)
	return reader
}

func readAll(t *testing.T, r *assistant.Reader) []eventlog.Event {
	t.Helper()
	var events []eventlog.Event
	for {
		entry, err := r.Next(t.Context())
		if errors.Is(err, io.EOF) {
			r.Close()
			return events
		}
		require.NoError(t, err)
		events = append(events, entry.Event)
	}
}

func TestReaderMayLeaveWhileItWaits(t *testing.T) {
	t.Parallel()
	b := newFixtureWith(t, time.Minute) // With this patience, Open waits even on a busy machine.
	b.hold(t, "start", 0)
	ctx, cancel := context.WithCancel(t.Context())
	opened := make(chan error, 1)
	go func() {
		_, err := b.service.Open(ctx, b.customer, b.ticket.ID, eventlog.EventID{})
		opened <- err
	}()
	groqtest.Wait(t, b.simulator, func(records []groqsim.RequestRecord) bool {
		return len(records) == 1 && records[0].HeldAt == "start"
	})
	cancel()
	require.ErrorIs(t, <-opened, context.Canceled)

	b.simulator.Release("start")
	events := readAll(t, b.open(t))
	require.IsType(t, eventlog.Done{}, events[len(events)-1], "the answer continued")
	require.Len(t, b.simulator.Requests(), 1)
}

func TestDrainingLetsAnswersFinishAndStartsNone(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.hold(t, "middle", 3)
	reader := b.open(t)
	drained := make(chan struct{})
	go func() {
		b.service.Drain(t.Context())
		close(drained)
	}()
	tickets := ticket.NewService(b.store, ticket.Options{AIMode: sqlc.AIModeAuto})
	require.Eventually(t, func() bool {
		// Another ticket each time, because an answer that is requested before the drain is still started.
		other, err := tickets.Create(t.Context(), b.customer, "title", "description")
		require.NoError(t, err)
		reader, err := b.service.Open(t.Context(), b.customer, other.ID, eventlog.EventID{})
		if err == nil {
			reader.Close()
		}
		return apperr.Is(err, apperr.Draining)
	}, waitAtMost, poll)
	joined := b.open(t)

	b.simulator.Release("middle")
	<-drained
	for _, r := range []*assistant.Reader{reader, joined} {
		events := readAll(t, r)
		require.IsType(t, eventlog.Done{}, events[len(events)-1])
	}
}

func TestDrainHasATimeLimit(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	require.NoError(t, b.simulator.Enqueue(groqsim.Script{
		Deltas: []string{"before ", "after"}, Gates: []groqsim.Gate{{Name: "for ever", After: 1}},
	}))
	reader := b.open(t)
	events := readText(t, reader, "before ")
	over, cancel := context.WithCancel(t.Context())
	cancel()
	b.service.Drain(over)
	events = append(events, readAll(t, reader)...)
	require.IsType(t, eventlog.Delta{}, events[len(events)-1], "the reader must reconnect")

	// Another process takes the answer over, and readers that reconnect get all of it.
	b.simulator.Release("for ever")
	other := b.another(t)
	last, ok := events[len(events)-1].(eventlog.Delta)
	require.True(t, ok)
	resumed, err := other.Open(t.Context(), b.customer, b.ticket.ID, last.ID)
	require.NoError(t, err)
	events = readAll(t, resumed)
	require.IsType(t, eventlog.Reset{}, events[1])
	done, ok := events[len(events)-1].(eventlog.Done)
	require.True(t, ok)
	require.EqualValues(t, 2, done.Response.Attempt)
	require.Equal(t, done.Message.Content, textOf(events))
}

// textOf joins the deltas since the last reset.
func textOf(events []eventlog.Event) (text string) {
	for _, event := range events {
		switch e := event.(type) {
		case eventlog.Delta:
			text += e.Content
		case eventlog.Reset:
			text = ""
		}
	}
	return text
}

func TestAnswerSurvivesAShortDatabaseOutage(t *testing.T) {
	t.Parallel()
	b := newFixtureWith(t, time.Minute) // With this patience, the reader arrives before the outage even on a busy machine.
	b.hold(t, "middle", 3)
	reader := b.open(t)
	// Cut every connection of the service while it writes.
	storetest.Exec(t, b.url, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'support'`)
	b.simulator.Release("middle")
	events := readAll(t, reader)
	require.IsType(t, eventlog.Done{}, events[len(events)-1])
	require.Equal(t, 1, storetest.QueryInt(t, b.url, "SELECT count(*) FROM messages"))
}

func TestImplausibleUsageIsReplaced(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	require.NoError(t, b.simulator.Enqueue(groqsim.Script{RawChunks: [][]byte{[]byte(
		`data: {"choices":[{"delta":{"content":"Hello"},"finish_reason":null}]}` + "\n\n" +
			`data: {"choices":[{"delta":{},"finish_reason":"stop"}],` +
			`"usage":{"prompt_tokens":99999999999,"completion_tokens":-5}}` + "\n\ndata: [DONE]\n\n")}}))
	events := readAll(t, b.open(t))
	done, ok := events[len(events)-1].(eventlog.Done)
	require.True(t, ok)
	require.LessOrEqual(t, done.Response.PromptTokens, int32(10_000_000))
	require.EqualValues(t, 1, done.Response.CompletionTokens, "the number of received pieces replaces implausible usage")
	require.Equal(t, "stop", *done.Response.FinishReason)
}

const (
	waitAtMost = 10 * time.Second
	poll       = 10 * time.Millisecond
)
