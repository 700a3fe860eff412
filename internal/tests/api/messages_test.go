package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/storetest"
)

func TestMessageHasItsWireShape(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	path := "/tickets/" + d.ticket.ID.String()
	created := d.owner.Do(t, http.MethodPost, path+"/messages", `{"content":"A message"}`, jsonType)
	require.Equal(t, http.StatusCreated, created.Status, "%s", created.Body)
	message := requireMembers(t, created.Body, messageMembers...)
	require.Equal(t, "A message", message["content"])
	require.Equal(t, d.ticket.ID.String(), message["ticket_id"])
	require.Equal(t, false, message["is_ai"])
	require.Equal(t, map[string]any{"kind": "customer"}, message["author"], "without the account's id")

	listed := d.owner.Do(t, http.MethodGet, path+"/messages", "")
	require.JSONEq(t, "["+string(created.Body)+"]", string(listed.Body))
	var whole struct{ Messages json.RawMessage }
	require.NoError(t, json.Unmarshal(d.owner.Do(t, http.MethodGet, path, "").Body, &whole))
	require.JSONEq(t, string(listed.Body), string(whole.Messages))
}

func TestMessageNamesItsAuthor(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	agent := d.Staff(t, sqlc.UserRoleAgent)
	admin := d.Staff(t, sqlc.UserRoleAdmin)
	for _, test := range []struct {
		user *apitest.User
		want string
	}{{d.owner, "customer"}, {agent, "agent"}, {admin, "agent"}} {
		message := test.user.Say(t, d.ticket.ID, "A message")
		require.False(t, message.IsAI)
		require.EqualValues(t, test.want, message.Author.Kind)
		for _, seen := range agent.Messages(t, d.ticket.ID) {
			if seen.ID == message.ID {
				require.Equal(t, &test.user.ID, seen.Author.ID, "staff see the account")
			}
		}
	}
	d.owner.Messages(t, d.ticket.ID) // The test client checks that the messages name no staff account.
	own := agent.NewTicket(t)
	message := agent.Say(t, own.ID, "A question of my own")
	require.EqualValues(t, "customer", message.Author.Kind, "in their own tickets, staff are customers")
}

func TestMessageIsJournaledWithItsEffects(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	agent := d.Staff(t, sqlc.UserRoleAgent)
	enqueue(t, d.Desk, groqsim.Script{Gates: []groqsim.Gate{{Name: "never", After: 0}}})
	response := d.owner.Begin(t, d.ticket.ID)
	reply := agent.Say(t, d.ticket.ID, "A reply")
	agent.SetStatus(t, d.ticket.ID, client.TicketStatusPending)
	answer := d.owner.Say(t, d.ticket.ID, "An answer")

	entries := storetest.QueryText(t, d.DatabaseURL, `SELECT string_agg(concat_ws(' ', type, actor_kind, actor_id, subject_id, data), E'\n' ORDER BY id)
		FROM journal_outbox WHERE ticket_id = $1 AND customer_id = $2
			AND type IN ('message.created', 'ai_response.superseded', 'ticket.status_changed') AND data->>'to' IS DISTINCT FROM 'pending'`,
		d.ticket.ID, d.owner.ID)
	require.Equal(t, strings.Join([]string{
		fmt.Sprintf(`ai_response.superseded agent %s %s {"kind": "answer"}`, agent.ID, response.ID),
		fmt.Sprintf(`message.created agent %s %s {"author": "agent"}`, agent.ID, reply.ID),
		fmt.Sprintf(`message.created customer %s %s {"author": "customer"}`, d.owner.ID, answer.ID),
		fmt.Sprintf(`ticket.status_changed customer %s {"to": "open", "from": "pending"}`, d.owner.ID),
	}, "\n"), entries)
}

func TestTicketCarriesItsLatestMessagesOldestFirst(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	storetest.Exec(t, d.DatabaseURL, `INSERT INTO messages (id, ticket_id, author, author_id, content, created_at)
		SELECT gen_random_uuid(), $1, 'customer', $2, 'Message ' || i, now() + i * interval '1 second'
		FROM generate_series(1, 105) AS i`, d.ticket.ID, d.owner.ID)
	messages := d.owner.Messages(t, d.ticket.ID)
	require.Len(t, messages, 100)
	for i, message := range messages {
		require.Equal(t, fmt.Sprintf("Message %d", i+6), message.Content)
	}
	var got []client.Message
	var sizes []int
	pages(t, d.owner, "/tickets/"+d.ticket.ID.String()+"/messages?limit=50", func(body []byte) {
		var page []client.Message
		require.NoError(t, json.Unmarshal(body, &page))
		got = append(got, page...)
		sizes = append(sizes, len(page))
	})
	require.Equal(t, []int{50, 50, 5}, sizes)
	for i, message := range got {
		require.Equal(t, fmt.Sprintf("Message %d", i+1), message.Content)
	}
}

// writeMessages runs writers that add n messages each, and returns their errors.
func writeMessages(t *testing.T, user *apitest.User, ticketID uuid.UUID, writers, n int) (wait func() error) {
	t.Helper()
	faults := make(chan error, writers)
	for w := range writers {
		go func() {
			for i := range n {
				created, err := user.CreateMessageWithResponse(t.Context(), ticketID, nil, client.CreateMessageRequest{
					Content: fmt.Sprintf("%d-%d", w, i),
				})
				if err == nil && created.StatusCode() != http.StatusCreated {
					err = fmt.Errorf("status %d: %s", created.StatusCode(), created.Body)
				}
				if err != nil {
					faults <- err
					return
				}
			}
			faults <- nil
		}()
	}
	return func() error {
		var first error
		for range writers {
			if err := <-faults; err != nil {
				first = err
			}
		}
		return first
	}
}

func TestMessagesAreReadBackFromTheEnd(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	agent := d.Staff(t, sqlc.UserRoleAgent)
	for _, content := range []string{"1", "2", "3"} {
		d.owner.Say(t, d.ticket.ID, content)
	}
	addNote(t, agent, d.ticket.ID, "A note")
	d.owner.Say(t, d.ticket.ID, "4")
	path := "/tickets/" + d.ticket.ID.String() + "/messages"
	read := func(user *apitest.User, query string) (contents []string, response apitest.Response) {
		response = user.Do(t, http.MethodGet, query, "")
		require.Equal(t, http.StatusOK, response.Status, "%s", response.Body)
		var page []client.Message
		require.NoError(t, json.Unmarshal(response.Body, &page))
		for _, message := range page {
			contents = append(contents, message.Content)
		}
		return contents, response
	}
	page, response := read(agent, path+"?sort=newest&limit=2")
	require.Equal(t, []string{"4", "A note"}, page)
	d.owner.Say(t, d.ticket.ID, "5")
	next := nextPage(t, response)
	page, response = read(agent, next)
	require.Equal(t, []string{"3", "2"}, page)
	page, response = read(agent, nextPage(t, response))
	require.Equal(t, []string{"1"}, page)
	require.Empty(t, response.Header.Get("Link"))
	page, _ = read(d.owner, path+"?sort=newest")
	require.Equal(t, []string{"5", "4", "3", "2", "1"}, page)
	page, _ = read(d.owner, path+"?sort=oldest")
	require.Equal(t, []string{"1", "2", "3", "4", "5"}, page)
	agent.Do(t, http.MethodGet, strings.Replace(next, "sort=newest", "sort=oldest", 1), "").
		RequireProblem(t, http.StatusBadRequest, client.ProblemCodeInvalidParameter)
}

func TestPagesOfMessagesStayStableDuringWrites(t *testing.T) {
	t.Parallel()
	const writers, each = 50, 5
	d := newCast(t)
	wait := writeMessages(t, d.owner, d.ticket.ID, writers, each)
	path := "/tickets/" + d.ticket.ID.String() + "/messages?limit=3"
	read := func() (contents []string) {
		pages(t, d.owner, path, func(body []byte) {
			var page []client.Message
			require.NoError(t, json.Unmarshal(body, &page))
			for _, message := range page {
				contents = append(contents, message.Content)
			}
		})
		return contents
	}
	var reads [][]string
	for len(reads) == 0 || len(reads[len(reads)-1]) < writers*each && len(reads) < 1000 {
		reads = append(reads, read())
	}
	require.NoError(t, wait())
	final := read()
	require.Len(t, final, writers*each)
	for _, got := range reads {
		require.Equal(t, final[:len(got)], append([]string{}, got...), "a reader missed a message, or got it twice or elsewhere")
	}
	// Each writer's messages keep their order.
	for w := range writers {
		var own []string
		for _, content := range final {
			var by, i int
			_, err := fmt.Sscanf(content, "%d-%d", &by, &i)
			require.NoError(t, err)
			if by == w {
				require.Equal(t, len(own), i)
				own = append(own, content)
			}
		}
		require.Len(t, own, each)
	}
}

func TestClosedTicketTakesNoMessages(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	agent := d.Staff(t, sqlc.UserRoleAgent)
	for _, status := range []client.TicketStatus{"pending", "resolved", "closed"} {
		agent.Say(t, d.ticket.ID, "before it is "+string(status)) // The agent writes, because a customer's message would reopen the ticket.
		d.owner.SetStatus(t, d.ticket.ID, status)
	}
	for _, user := range []*apitest.User{d.owner, agent} {
		r := user.Do(t, http.MethodPost, "/tickets/"+d.ticket.ID.String()+"/messages", `{"content":"`+canary+`"}`, jsonType)
		requireRefused(t, r, http.StatusConflict, client.ProblemCodeTicketClosed)
	}
	require.Len(t, d.owner.Messages(t, d.ticket.ID), 3)
	agent.SetStatus(t, d.ticket.ID, "open")
	d.owner.Say(t, d.ticket.ID, "again")
	require.Len(t, d.owner.Messages(t, d.ticket.ID), 4)
}

// race runs the functions concurrently and waits for all of them.
func race(functions ...func()) {
	gate := make(chan struct{})
	var running sync.WaitGroup
	for _, f := range functions {
		running.Go(func() {
			<-gate
			f()
		})
	}
	close(gate)
	running.Wait()
}

func TestMessageRacingACloseIsNeverAfterIt(t *testing.T) {
	t.Parallel()
	const rounds = 100
	d := newCast(t)
	accepted := 0
	for round := range rounds {
		d.owner.SetStatus(t, d.ticket.ID, "pending")
		d.owner.SetStatus(t, d.ticket.ID, "resolved")
		var said, closed int
		var faults [2]error
		say := func() {
			// Staff write here, because a customer's message reopens the ticket.
			r, err := d.admin.CreateMessageWithResponse(t.Context(), d.ticket.ID, nil, client.CreateMessageRequest{Content: "x"})
			if faults[0] = err; err == nil {
				said = r.StatusCode()
			}
		}
		shut := func() {
			r, err := d.owner.UpdateTicketWithResponse(t.Context(), d.ticket.ID, nil, client.UpdateTicketRequest{Status: "closed"})
			if faults[1] = err; err == nil {
				closed = r.StatusCode()
			}
		}
		order := []func(){say, shut}
		if round%2 == 1 {
			slices.Reverse(order)
		}
		race(order...)
		require.NoError(t, faults[0])
		require.NoError(t, faults[1])
		require.Equal(t, http.StatusOK, closed)
		require.Contains(t, []int{http.StatusCreated, http.StatusConflict}, said)
		if said == http.StatusCreated {
			accepted++
		}
		d.owner.SetStatus(t, d.ticket.ID, "open")
	}
	require.Len(t, d.owner.Messages(t, d.ticket.ID), accepted)
	require.Equal(t, rounds*4, storetest.QueryInt(t, d.DatabaseURL, "SELECT count(*) FROM ticket_status_changes"))
	// No message lies between a close and the next reopening.
	require.Zero(t, storetest.QueryInt(t, d.DatabaseURL, `SELECT count(*)
		FROM messages AS m
		WHERE (
			SELECT c.to_status FROM ticket_status_changes AS c
			WHERE c.ticket_id = m.ticket_id AND c.created_at <= m.created_at
			ORDER BY c.created_at DESC, c.id DESC LIMIT 1
		) = 'closed'`))
}
