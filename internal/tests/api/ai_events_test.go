package api_test

import (
	"encoding/json"
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

// polledText applies events to the text that a reader has shown.
func polledText(t *testing.T, shown string, events []client.NumberedEvent) string {
	t.Helper()
	for _, numbered := range events {
		switch event := eventOf(t, numbered); event["type"] {
		case "delta":
			text, _ := event["content"].(string)
			shown += text
		case "reset":
			shown = ""
		}
	}
	return shown
}

func eventOf(t *testing.T, numbered client.NumberedEvent) (event map[string]any) {
	t.Helper()
	raw, err := numbered.Event.MarshalJSON()
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &event))
	return event
}

// pollAll polls an AI response to its end and returns the text and the last event.
func pollAll(t *testing.T, u *apitest.User, id uuid.UUID) (text string, last map[string]any) {
	t.Helper()
	var after int64
	for {
		page := u.Poll(t, id, after, 20)
		require.Equal(t, id, page.AIResponseID)
		for _, event := range page.Events {
			require.Equal(t, after+1, event.Seq, "dense")
			after = event.Seq
			last = eventOf(t, event)
		}
		require.Equal(t, after, page.LastSeq)
		text = polledText(t, text, page.Events)
		if page.Ended {
			return text, last
		}
		require.NotEmpty(t, page.Events, "twenty seconds without an event")
	}
}

// answerEndings are the ways in which a response can end, and how to cause them.
var answerEndings = map[string]struct {
	script groqsim.Script
	end    func(t *testing.T, u, agent *apitest.User, r client.AIResponse)
	// code is the code of the event failed; empty for done.
	code client.AIFailureCode
}{
	"completed": {},
	"failed":    {script: groqsim.Script{CutAfter: after(3)}, code: client.AIFailureCodeAIProtocol},
	"failed before the first word": {
		script: groqsim.Script{Status: 400}, code: client.AIFailureCodeConversationNotAccepted,
	},
	"cancelled": {
		script: groqsim.Script{Gates: []groqsim.Gate{{Name: "late", After: 3}}}, code: client.AIFailureCodeCancelled,
		end: func(t *testing.T, u, _ *apitest.User, r client.AIResponse) {
			t.Helper()
			u.CancelAIResponse(t, r.ID)
		},
	},
	"superseded": {
		script: groqsim.Script{Gates: []groqsim.Gate{{Name: "late", After: 3}}}, code: client.AIFailureCodeSuperseded,
		end: func(t *testing.T, _, agent *apitest.User, r client.AIResponse) {
			t.Helper()
			agent.Say(t, r.TicketID, "I take over.")
		},
	},
	"regenerated": {
		end: func(t *testing.T, u, _ *apitest.User, r client.AIResponse) {
			t.Helper()
			require.NotNil(t, u.ReadAIResponse(t, r.ID).Done)
			require.NotNil(t, u.ReadAIResponse(t, u.Regenerate(t, r.TicketID).ID).Done)
		},
	},
}

func TestEndedResponseCanBeReadByID(t *testing.T) {
	t.Parallel()
	for name, c := range answerEndings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one, other := twoReplicas(t, desk.Options{Limits: noRetries()})
			user, agent := one.Customer(t), one.Staff(t, sqlc.UserRoleAgent)
			there := other.LogIn(t, user.Email, apitest.Password)
			enqueue(t, one, c.script)
			begun := user.Begin(t, user.NewTicket(t).ID)
			if c.end != nil {
				if c.script.Gates != nil {
					requireHeld(t, one, "late")
				}
				c.end(t, user, agent, begun)
			}
			whole := user.ReadAIResponse(t, begun.ID)
			requireEnding(t, whole, c.code)
			requests := len(one.Simulator.Requests())
			requireResumable(t, there, begun.ID, whole)
			text, last := pollAll(t, there, begun.ID)
			require.Equal(t, whole.Text, text)
			require.Equal(t, whole.Done != nil, last["type"] == "done")

			// The other replica has nothing in memory, and the events are deleted.
			storetest.Exec(t, one.DatabaseURL, "DELETE FROM ai_response_events")
			late := desk.New(t, desk.Options{DatabaseURL: one.DatabaseURL, Simulator: one.Simulator}).
				LogIn(t, user.Email, apitest.Password)
			requireSweptIsReadable(t, late, begun.ID, whole)
			require.Len(t, one.Simulator.Requests(), requests, "reading starts nothing")
		})
	}
}

func requireEnding(t *testing.T, a apitest.Answer, code client.AIFailureCode) {
	t.Helper()
	if code == "" {
		require.NotNil(t, a.Done)
		require.Equal(t, a.Done.Message.Content, a.Text)
		return
	}
	require.NotNil(t, a.Failed)
	require.Equal(t, code, a.Failed.Code)
}

// requireResumable checks that a reader resumes after any event with exactly the following ones, and after the last
// with none.
func requireResumable(t *testing.T, u *apitest.User, id uuid.UUID, whole apitest.Answer) {
	t.Helper()
	events := whole.Events[1:]
	for i, last := range events[:len(events)-1] {
		stream := u.OpenAIResponse(t, id, last.ID)
		stream.RequireOK()
		require.Equal(t, events[i+1:], stream.ReadAll().Events[1:], "no event is missing or repeated")
	}
	require.Equal(t, http.StatusNoContent, u.OpenAIResponse(t, id, events[len(events)-1].ID).Response.StatusCode)
}

// requireSweptIsReadable checks that an answer whose events are deleted is sent as one delta and the end.
func requireSweptIsReadable(t *testing.T, u *apitest.User, id uuid.UUID, whole apitest.Answer) {
	t.Helper()
	left := u.ReadAIResponse(t, id)
	require.Equal(t, whole.Done, left.Done)
	require.Equal(t, whole.Failed, left.Failed)
	if whole.Done != nil {
		require.Len(t, left.Events, 3, "start, one delta, done")
		require.Equal(t, whole.Text, left.Text)
	} else {
		require.Len(t, left.Events, 2, "start, failed")
	}
	events := whole.Events[1:]
	end := events[len(events)-1]
	require.Equal(t, end.ID, left.Events[len(left.Events)-1].ID, "the end keeps its id")
	require.Equal(t, http.StatusNoContent, u.OpenAIResponse(t, id, end.ID).Response.StatusCode)
	shown := ""
	for _, last := range events[:len(events)-1] {
		shown += deltaOf(t, last)
		stream := u.OpenAIResponse(t, id, last.ID)
		stream.RequireOK()
		rest := stream.ReadAll()
		require.Equal(t, whole.Done, rest.Done)
		if whole.Done != nil && rest.Events[1].Name != "reset" {
			require.Equal(t, whole.Text, shown+rest.Text)
		} else {
			require.Equal(t, left.Text, rest.Text)
		}
	}
	page := u.Poll(t, id, 0, 0)
	require.True(t, page.Ended)
	require.Equal(t, left.Text, polledText(t, "", page.Events))
}

func TestReaderOfAFailedAnswerGetsItsEndAndStartsNothing(t *testing.T) {
	t.Parallel()
	one, other := twoReplicas(t, desk.Options{Limits: noRetries()})
	user := one.Customer(t)
	there := other.LogIn(t, user.Email, apitest.Password)
	ticket := user.NewTicket(t)
	enqueue(t, one, groqsim.Script{
		Deltas: []string{"a ", "b ", "c ", "d "}, CutAfter: after(4), Gates: []groqsim.Gate{{Name: "middle", After: 2}},
	})
	stream := user.Stream(t, ticket.ID)
	requireHeld(t, one, "middle")
	one.Simulator.Release("middle")
	whole := stream.ReadAll()
	require.NotNil(t, whole.Failed)
	events := whole.Events[1:]
	require.Greater(t, len(events), 1)
	for i, last := range events[:len(events)-1] {
		for _, reader := range []*apitest.User{user, there} {
			resumed := reader.OpenStream(t, ticket.ID, last.ID)
			resumed.RequireOK()
			require.Equal(t, events[i+1:], resumed.ReadAll().Events[1:])
		}
	}
	for _, reader := range []*apitest.User{user, there} {
		require.Equal(t, http.StatusNoContent,
			reader.OpenStream(t, ticket.ID, events[len(events)-1].ID).Response.StatusCode)
	}
	// The id of a reader that was told to start over and has no other event yet.
	again := user.OpenStream(t, ticket.ID, whole.Failed.AIResponseID.String()+":0")
	again.RequireOK()
	require.Equal(t, events, again.ReadAll().Events[1:])
	storetest.Exec(t, one.DatabaseURL, "DELETE FROM ai_response_events")
	resumed := there.OpenStream(t, ticket.ID, events[0].ID)
	resumed.RequireOK()
	require.NotNil(t, resumed.ReadAll().Failed)
	require.Len(t, one.Simulator.Requests(), 1)
}

func TestPollReturnsExistingEventsImmediately(t *testing.T) {
	t.Parallel()
	one, other := twoReplicas(t, desk.Options{})
	user := one.Customer(t)
	enqueue(t, one, groqsim.Script{
		Deltas: []string{"one ", "two ", "three"}, Gates: []groqsim.Gate{{Name: "middle", After: 2}},
	})
	begun := user.Begin(t, user.NewTicket(t).ID)
	requireHeld(t, one, "middle")
	for _, reader := range []*apitest.User{user, other.LogIn(t, user.Email, apitest.Password)} {
		var text string
		var after int64
		for text != "one two " {
			at := time.Now()
			page := reader.Poll(t, begun.ID, after, 20)
			require.Less(t, time.Since(at), 10*time.Second, "it does not wait for the answer's end")
			require.NotEmpty(t, page.Events)
			require.False(t, page.Ended)
			after, text = page.LastSeq, polledText(t, text, page.Events)
		}
		empty := reader.Poll(t, begun.ID, after, 0)
		require.Empty(t, empty.Events)
		require.Equal(t, after, empty.LastSeq)
		require.False(t, empty.Ended)
	}
}

func TestPollWaitsForTheGivenTime(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	enqueue(t, s, groqsim.Script{Gates: []groqsim.Gate{{Name: "start", After: -1}}})
	begun := user.Begin(t, user.NewTicket(t).ID)
	requireHeld(t, s, "start")
	at := time.Now()
	page := user.Poll(t, begun.ID, 0, 1)
	require.GreaterOrEqual(t, time.Since(at), time.Second)
	require.Less(t, time.Since(at), 10*time.Second)
	require.Empty(t, page.Events)
	require.Zero(t, page.LastSeq)
	require.False(t, page.Ended)
}

func TestPollReturnsWhenAnEventArrives(t *testing.T) {
	t.Parallel()
	for name, elsewhere := range map[string]bool{"here": false, "elsewhere": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one, other := twoReplicas(t, desk.Options{})
			user := one.Customer(t)
			reader := user
			if elsewhere {
				reader = other.LogIn(t, user.Email, apitest.Password)
			}
			enqueue(t, one, groqsim.Script{Gates: []groqsim.Gate{{Name: "start", After: 0}, {Name: "middle", After: 1}}})
			begun := user.Begin(t, user.NewTicket(t).ID)
			requireHeld(t, one, "start")
			at := time.Now()
			polled := make(chan client.AIResponseEvents, 1)
			go func() { polled <- reader.Poll(t, begun.ID, 0, 20) }()
			one.Simulator.Release("start")
			page := <-polled
			require.Len(t, page.Events, 1)
			require.Less(t, time.Since(at), 10*time.Second, "it does not wait for the full time")

			go func() { polled <- reader.Poll(t, begun.ID, page.LastSeq, 20) }()
			user.CancelAIResponse(t, begun.ID)
			last := <-polled
			require.True(t, last.Ended, "a cancelled answer ends the poll too")
			require.Less(t, time.Since(at), 10*time.Second)
			require.Equal(t, "failed", eventOf(t, last.Events[len(last.Events)-1])["type"])
		})
	}
}

func TestPolledTextIsTheStoredMessage(t *testing.T) {
	t.Parallel()
	one, other := twoReplicas(t, desk.Options{})
	user := one.Customer(t)
	enqueue(t, one, groqsim.Script{TokensPerSecond: 400, Text: "Grüße 👋\n\nevent: done\r\n\u2028" + groqsimText})
	begun := user.Begin(t, user.NewTicket(t).ID)
	for _, reader := range []*apitest.User{other.LogIn(t, user.Email, apitest.Password), user} {
		text, last := pollAll(t, reader, begun.ID)
		require.Equal(t, "done", last["type"])
		messages := user.Messages(t, begun.TicketID)
		require.Len(t, messages, 1)
		require.Equal(t, messages[0].Content, text)
	}
	ended := user.Poll(t, begun.ID, user.Poll(t, begun.ID, 0, 0).LastSeq, 20)
	require.True(t, ended.Ended)
	require.Empty(t, ended.Events)
}

// groqsimText is long enough for many events.
const groqsimText = `We have looked into the charge for October that you mention, and found that it was made twice by mistake.
One of the two has been taken back today; it takes three to five working days until you see it.`

func TestPollAfterAnUnknownEventStartsOver(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	enqueue(t, s, groqsim.Script{Deltas: []string{"one ", "two"}, Gates: []groqsim.Gate{{Name: "middle", After: 1}}})
	begun := user.Begin(t, user.NewTicket(t).ID)
	require.NotEmpty(t, user.Poll(t, begun.ID, 0, 20).Events)
	requireBegunAnew := func(text string, ended bool) {
		t.Helper()
		page := user.Poll(t, begun.ID, 999, 20)
		require.Zero(t, page.Events[0].Seq)
		require.Equal(t, "reset", eventOf(t, page.Events[0])["type"])
		require.Equal(t, int64(1), page.Events[1].Seq)
		require.Equal(t, text, polledText(t, "what was shown", page.Events))
		require.Equal(t, ended, page.Ended)
		require.Equal(t, page.Events[len(page.Events)-1].Seq, page.LastSeq)
	}
	requireBegunAnew("one ", false)
	s.Simulator.Release("middle")
	require.NotNil(t, user.ReadAIResponse(t, begun.ID).Done)
	requireBegunAnew("one two", true)
}

func TestPollRefusesInvalidParameters(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	begun := user.Begin(t, user.NewTicket(t).ID)
	path := "/ai-responses/" + begun.ID.String() + "/events"
	for _, query := range []string{
		"wait=21", "wait=-1", "wait=1.5", "wait=", "after=-1", "after=x", "after=1000000001", "after=99999999999999999999",
		"after=1&after=2", "before=1",
	} {
		user.Do(t, http.MethodGet, path+"?"+query, "").
			RequireProblem(t, http.StatusBadRequest, client.ProblemCodeInvalidParameter)
	}
	other := s.Customer(t)
	other.Do(t, http.MethodGet, path+"?wait=20", "").RequireProblem(t, http.StatusNotFound, client.ProblemCodeNotFound)
}

// The log is longer than one read of a follower or of a poll.
func TestLongLogIsReadInBatches(t *testing.T) {
	t.Parallel()
	const deltas = 6000
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	id := uuid.Must(uuid.NewV7())
	storetest.Exec(t, s.DatabaseURL, `
		WITH long AS (
			INSERT INTO ai_responses (id, ticket_id, customer_id, model, owner_id, last_seq, lease_expires_at, status, error_code, finished_at)
			VALUES ($1, $2, (SELECT user_id FROM tickets WHERE id = $2), 'm', gen_random_uuid(), $3 + 1, now(), 'failed', 'ai_timeout', now())
			RETURNING id
		)
		INSERT INTO ai_response_events (ai_response_id, seq, kind, attempt, content)
		SELECT id, n, (CASE WHEN n > $3 THEN 'failed' ELSE 'delta' END)::ai_event_kind, 1,
			CASE WHEN n > $3 THEN 'ai_timeout' ELSE n || ' ' END
		FROM long, generate_series(1, $3 + 1) AS n`, id, user.NewTicket(t).ID, deltas)
	var want strings.Builder
	for n := range deltas {
		want.WriteString(itoa(n+1) + " ")
	}
	answer := user.ReadAIResponse(t, id)
	require.Equal(t, want.String(), answer.Text)
	require.Equal(t, client.AIFailureCodeAITimeout, answer.Failed.Code)
	text, last := pollAll(t, user, id)
	require.Equal(t, want.String(), text)
	require.Equal(t, "failed", last["type"])
}
