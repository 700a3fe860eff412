package assistant

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/groq"
	"github.com/supportbackend/support/internal/page"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/testing/groqtest"
	"github.com/supportbackend/support/internal/testing/storetest"
	"github.com/supportbackend/support/internal/ticket"
)

const (
	modelReplicas = 3
	// modelPlans is the number of plans of a schedule; modelRequests is the most upstream requests in one. The plans
	// repeat.
	modelPlans    = 12
	modelRequests = 400
	// modelPatience is the limit of every wait.
	modelPatience = 10 * time.Second
	// modelLockWait is a time for which a session certainly waits for a lock: half of the sessions' lock_timeout.
	modelLockWait = time.Second
)

// modelWorld is the state that all schedules share.
type modelWorld struct {
	t               *testing.T
	url             string
	store           *store.Store
	tickets         *ticket.Service
	simulator       *groqsim.Simulator
	client          *groq.Client
	customer, staff auth.Actor
}

func newModelWorld(t *testing.T) *modelWorld {
	t.Helper()
	url, _ := storetest.Lend(t)
	w := &modelWorld{t: t, url: url, simulator: groqsim.New(groqsim.Options{})}
	w.store = storetest.Open(t, w.url)
	w.tickets = ticket.NewService(w.store, ticket.Options{AIMode: sqlc.AIModeAuto})
	upstream := groqtest.Serve(t, w.simulator)
	var err error
	w.client, err = groq.New(groq.Options{BaseURL: upstream, APIKey: "k", Limits: DefaultLimits()})
	require.NoError(t, err)
	w.customer = w.user("ada@example.com", sqlc.UserRoleUser)
	w.staff = w.user("staff@example.com", sqlc.UserRoleAgent)
	return w
}

func (w *modelWorld) user(email string, role sqlc.UserRole) auth.Actor {
	user, err := w.store.CreateUser(w.t.Context(), sqlc.CreateUserParams{
		ID: uuid.Must(uuid.NewV7()), Email: email, PasswordHash: "x", Role: role,
	})
	require.NoError(w.t, err)
	return auth.Actor{ID: user.ID, Role: user.Role}
}

// modelPlan is the upstream's answer to one request.
type modelPlan struct {
	tokens []string
	// breaks makes the upstream cut the stream after the tokens.
	breaks bool
}

// modelReplica is a service with its own pool, like a process.
type modelReplica struct {
	*Service
	store *store.Store
	// stop ends the service's background work.
	stop func()
}

// machine runs the engine through one schedule, in a ticket of its own.
type machine struct {
	*modelWorld
	model    modelTicket
	ticketID uuid.UUID
	replicas []*modelReplica
	plans    []modelPlan
	readers  []*modelReader
	// opening is a reader that waits for the first word of an answer, or nil.
	opening *modelOpening
	// ghosts are upstream requests that nobody needs any longer and that are still held.
	ghosts []int
}

func newMachine(t *rapid.T, w *modelWorld) *machine {
	m := &machine{modelWorld: w}
	w.simulator.Reset()
	// A failed schedule may have left an answer behind.
	storetest.Exec(w.t, w.url, "DELETE FROM tickets")
	about, err := w.tickets.Create(w.t.Context(), w.customer, "title", "description")
	require.NoError(t, err)
	m.ticketID, m.model.mode = about.ID, sqlc.AIModeAuto
	if rapid.IntRange(0, 2).Draw(t, "drafts") == 2 {
		m.update(t, ticket.Change{AIMode: sqlc.AIModeDraft})
		m.model.mode = sqlc.AIModeDraft
	}
	for range modelReplicas {
		m.replicas = append(m.replicas, m.newReplica(t))
	}
	t.Cleanup(func() {
		for _, r := range m.replicas {
			r.drainNow()
			r.store.Close()
		}
	})
	size := rapid.IntRange(2, 6)
	for i := range modelPlans {
		plan := modelPlan{breaks: rapid.IntRange(0, 4).Draw(t, "breaks") == 4}
		for j := range size.Draw(t, "tokens") {
			plan.tokens = append(plan.tokens, fmt.Sprintf("%d.%d é😀\n", i, j))
		}
		m.plans = append(m.plans, plan)
	}
	for i := range modelRequests {
		require.NoError(t, w.simulator.Enqueue(m.script(i)))
	}
	return m
}

func (m *machine) newReplica(t *rapid.T) *modelReplica {
	s, err := store.Open(m.t.Context(), store.Config{URL: m.url, MaxConns: 8, Lazy: true})
	require.NoError(t, err)
	o := DefaultOptions(m.client, io.Discard)
	o.Patience = time.Minute
	r := &modelReplica{store: s, Service: NewService(s, o)}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { r.Run(ctx) })
	r.stop = func() {
		cancel()
		running.Wait()
	}
	return r
}

// drainNow stops the service like a process without time to drain.
func (r *modelReplica) drainNow() {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	r.Drain(ended)
	r.stop()
}

func (m *machine) plan(request int) modelPlan { return m.plans[request%len(m.plans)] }

func gateOf(request, token int) string { return fmt.Sprintf("%d/%d", request, token) }

// script returns the script of a request, which is held before each token and before the end.
func (m *machine) script(request int) groqsim.Script {
	plan := m.plan(request)
	n := len(plan.tokens)
	s := groqsim.Script{Deltas: plan.tokens, Reasoning: -1, TokensPerSecond: -1}
	for i := range n + 1 {
		s.Gates = append(s.Gates, groqsim.Gate{Name: gateOf(request, i), After: i})
	}
	if plan.breaks {
		s.EOFAfter = &n
	}
	return s
}

// until polls a condition that has no signal.
func (m *machine) until(t *rapid.T, what string, is func() bool) {
	deadline := time.Now().Add(modelPatience)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("this did not happen in time: %s", what)
		}
		<-time.After(2 * time.Millisecond)
	}
}

// untilHeld waits until the simulator holds the request before the token.
func (m *machine) untilHeld(t *rapid.T, request, token int) {
	ctx, cancel := context.WithTimeout(m.t.Context(), modelPatience)
	defer cancel()
	gate := gateOf(request, token)
	err := m.simulator.Wait(ctx, func(records []groqsim.RequestRecord) bool {
		return len(records) > request && records[request].HeldAt == gate
	})
	require.NoError(t, err, "no upstream request reaches %s", gate)
}

func (m *machine) row(t *rapid.T, r *modelResponse) sqlc.AIResponse {
	row, err := m.store.GetAIResponse(m.t.Context(), r.id)
	require.NoError(t, err)
	return row
}

// isOwner reports whether the replica writes the response.
func (m *machine) isOwner(t *rapid.T, r *modelResponse, at *modelReplica) bool {
	row := m.row(t, r)
	return row.Status == sqlc.AIResponseStatusStreaming && row.OwnerID != nil && *row.OwnerID == at.writer.ID()
}

// untilLogged waits until the database's log is as long as the model's.
func (m *machine) untilLogged(t *rapid.T, r *modelResponse) {
	m.until(t, "the log has the next event", func() bool {
		row := m.row(t, r)
		return row.LastSeq >= int64(len(r.log)) && row.Status != sqlc.AIResponseStatusStreaming == !r.streaming()
	})
}

// began records in the model a response that must have started.
func (m *machine) began(t *rapid.T) *modelResponse {
	m.untilHeld(t, m.model.requests, 0)
	id := storetest.QueryText(m.t, m.url, "SELECT id::text FROM ai_responses WHERE ticket_id = $1 AND status = 'streaming'", m.ticketID)
	return m.model.begin(uuid.MustParse(id))
}

// replica draws one of the replicas.
func (m *machine) replica(t *rapid.T) *modelReplica {
	return m.replicas[rapid.IntRange(0, len(m.replicas)-1).Draw(t, "replica")]
}

// running returns the running response, and starts one first if necessary.
func (m *machine) running(t *rapid.T) *modelResponse {
	if m.model.running() == nil {
		if _, verdict := m.model.ask(modelAsk{staff: true, regenerate: true}); verdict != begins {
			t.Skip("nothing is to be written")
		}
		m.startAt(t, m.replica(t), modelAsk{staff: true, regenerate: true})
	}
	return m.model.running()
}

// actor returns the actor of a request.
func (m *machine) actor(staff bool) auth.Actor {
	if staff {
		return m.staff
	}
	return m.customer
}

// viewer draws an actor who sees the response. Only staff see drafts.
func (m *machine) viewer(t *rapid.T, r *modelResponse) auth.Actor {
	return m.actor(r.draft || rapid.Bool().Draw(t, "staff"))
}

// requireLog checks a response in the database against the model.
func (m *machine) requireLog(t *rapid.T, r *modelResponse, row sqlc.AIResponse) {
	require.Equal(t, r.status, row.Status)
	require.Equal(t, r.attempt, row.Attempt)
	require.EqualValues(t, len(r.log), row.LastSeq)
	events, err := m.store.ListAIResponseEvents(m.t.Context(), sqlc.ListAIResponseEventsParams{
		MaxRows: 1000, IDs: []uuid.UUID{r.id}, FromSeqs: []int64{0},
	})
	require.NoError(t, err)
	var log []modelEvent
	for i, e := range events {
		require.EqualValues(t, i+1, e.Seq, "numbers are dense")
		log = append(log, modelEvent{kind: e.Kind, attempt: e.Attempt, content: e.Content})
	}
	require.Equal(t, r.log, log)
	last := len(r.log) - 1
	require.Equal(t, !r.streaming(), slices.ContainsFunc(r.log, modelEvent.isEnd))
	require.True(t, r.streaming() || slices.IndexFunc(r.log, modelEvent.isEnd) == last, "no event comes after the end")
	require.Equal(t, r.message >= 0, row.MessageID != nil)
	require.Equal(t, r.draft, row.CustomerID == nil)
	if !r.draft {
		require.Equal(t, !r.streaming() && r.log[last].kind == sqlc.AIEventKindDone, row.MessageID != nil)
		return
	}
	require.Equal(t, cmp.Or(r.review, sqlc.AIReviewPending), *row.Review)
	if !r.streaming() && r.log[last].kind == sqlc.AIEventKindDone {
		require.Equal(t, textSince(r.log), *row.Content, "a draft keeps its own text")
	}
}

// verify checks the database against the model.
func (m *machine) verify(t *rapid.T) {
	rows, err := m.store.ListAIResponsesByTicket(m.t.Context(), sqlc.ListAIResponsesByTicketParams{
		TicketID: m.ticketID, Staff: true, BeforeCreatedAt: page.Last.CreatedAt, BeforeID: page.Last.ID, MaxRows: 1000,
	})
	require.NoError(t, err)
	require.Len(t, rows, len(m.model.responses))
	byMessage := make(map[uuid.UUID]*modelResponse)
	for _, row := range rows {
		r := m.model.find(func(r *modelResponse) bool { return r.id == row.ID })
		require.NotNil(t, r, "the model has no such response")
		m.requireLog(t, r, row)
		if row.MessageID != nil {
			byMessage[*row.MessageID] = r
		}
	}
	messages, err := m.store.ListMessagesByTicket(m.t.Context(), sqlc.ListMessagesByTicketParams{
		TicketID: m.ticketID, AfterCreatedAt: page.First.CreatedAt, AfterID: page.First.ID, MaxRows: 1000,
	})
	require.NoError(t, err)
	var stored []modelMessage
	for _, message := range messages {
		stored = append(stored, modelMessage{
			author: message.Message.Author, content: message.Message.Content, replaced: message.Message.SupersededBy != nil,
		})
		if message.Message.Author == sqlc.MessageAuthorAI {
			r := byMessage[message.Message.ID]
			require.NotNil(t, r, "a message without a response")
			if !r.draft {
				require.Equal(t, message.Message.Content, textSince(r.log), "the message is the deltas since the last reset")
			}
		}
	}
	require.Equal(t, m.model.messages, stored)
	require.Len(t, m.simulator.Requests(), m.model.requests, "one upstream request per attempt")
	m.verifyReview(t, rows)
}
