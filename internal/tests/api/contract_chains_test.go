package api_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/testing/apitest"
)

// chain is the state after a chain of calls: the sessions of two customers and an agent, and their tickets.
type chain struct {
	*cast
	t *testing.T
	// sessions are the sessions of each account. The first one never ends.
	sessions [3][]*apitest.User
	tickets  []*chainTicket
}

type chainTicket struct {
	path     string
	owner    int
	status   client.TicketStatus
	messages int
}

// staff is the index of the agent, who sees every ticket.
const staff = 2

// TestChainsOfCallsFollowTheModel draws chains of calls by several accounts, and predicts each status: things of other
// customers are not found, closed tickets refuse messages, and ended sessions are refused.
func TestChainsOfCallsFollowTheModel(t *testing.T) {
	t.Parallel()
	setRapidFlags(t, map[string]string{"rapid.checks": fuzzChecks, "rapid.nofailfile": "true"})
	c := newCast(t)
	rapid.Check(t, func(r *rapid.T) {
		h := &chain{cast: c, t: t}
		for i, role := range []sqlc.UserRole{sqlc.UserRoleUser, sqlc.UserRoleUser, sqlc.UserRoleAgent} {
			h.sessions[i] = []*apitest.User{c.Staff(t, role)}
		}
		r.Repeat(map[string]func(*rapid.T){
			"begin a session": h.beginSession, "end a session": h.endSession,
			"open": h.open, "read": h.read, "say": h.say, "move": h.move, "list": h.list,
		})
	})
}

// as draws an account and one of its sessions.
func (h *chain) as(r *rapid.T) (account int, session *apitest.User) {
	account = rapid.IntRange(0, staff).Draw(r, "account")
	return account, rapid.SampledFrom(h.sessions[account]).Draw(r, "session")
}

// onTicket draws an account and a ticket, and reports whether the account sees the ticket.
func (h *chain) onTicket(r *rapid.T) (session *apitest.User, account int, ticket *chainTicket, visible bool) {
	if len(h.tickets) == 0 {
		r.Skip("no ticket")
	}
	account, session = h.as(r)
	ticket = rapid.SampledFrom(h.tickets).Draw(r, "ticket")
	return session, account, ticket, account == staff || account == ticket.owner
}

// send sends a request, checks the status, and returns the body.
func (h *chain) send(r *rapid.T, session *apitest.User, want int, method, path, body string) []byte {
	got := h.Do(h.t, method, path, body, session.Bearer(), jsonType)
	if got.Status != want {
		r.Fatalf("%s %s was answered with %d instead of %d: %s", method, path, got.Status, want, got.Body)
	}
	return got.Body
}

func (h *chain) open(r *rapid.T) {
	owner, session := h.as(r)
	var ticket client.Ticket
	body := h.send(r, session, http.StatusCreated, http.MethodPost, "/tickets", `{"title":"t","description":"d"}`)
	require.NoError(h.t, json.Unmarshal(body, &ticket))
	h.tickets = append(h.tickets, &chainTicket{path: "/tickets/" + ticket.ID.String(), owner: owner, status: ticket.Status})
}

func (h *chain) read(r *rapid.T) {
	session, _, ticket, visible := h.onTicket(r)
	if !visible {
		h.send(r, session, http.StatusNotFound, http.MethodGet, ticket.path, "")
		return
	}
	var got client.TicketWithMessages
	require.NoError(h.t, json.Unmarshal(h.send(r, session, http.StatusOK, http.MethodGet, ticket.path, ""), &got))
	if got.Status != ticket.status || len(got.Messages) != ticket.messages {
		r.Fatalf("the ticket is %s with %d messages instead of %s with %d", got.Status, len(got.Messages), ticket.status, ticket.messages)
	}
}

func (h *chain) say(r *rapid.T) {
	session, account, ticket, visible := h.onTicket(r)
	want := http.StatusCreated
	switch {
	case !visible:
		want = http.StatusNotFound
	case ticket.status == "closed":
		want = http.StatusConflict
	default:
		ticket.messages++
		if account == ticket.owner {
			ticket.status = "open"
		}
	}
	h.send(r, session, want, http.MethodPost, ticket.path+"/messages", `{"content":"c"}`)
}

func (h *chain) move(r *rapid.T) {
	session, account, ticket, visible := h.onTicket(r)
	to := rapid.SampledFrom([]client.TicketStatus{"open", "pending", "resolved", "closed"}).Draw(r, "status")
	want := http.StatusOK
	switch {
	case !visible:
		want = http.StatusNotFound
	case !mayChange(ticket.status, to, account == staff):
		want = http.StatusConflict
	default:
		ticket.status = to
	}
	h.send(r, session, want, http.MethodPatch, ticket.path, `{"status":"`+string(to)+`"}`)
}

func (h *chain) list(r *rapid.T) {
	account, session := h.as(r)
	if account == staff {
		r.Skip("staff see the tickets of other chains too")
	}
	var listed []client.Ticket
	require.NoError(h.t, json.Unmarshal(h.send(r, session, http.StatusOK, http.MethodGet, "/tickets?limit=200", ""), &listed))
	var got, want []string
	for _, ticket := range listed {
		got = append(got, "/tickets/"+ticket.ID.String())
	}
	for _, ticket := range slices.Backward(h.tickets) {
		if ticket.owner == account {
			want = append(want, ticket.path)
		}
	}
	if !slices.Equal(got, want) {
		r.Fatalf("the customer sees %v instead of %v", got, want)
	}
}

func (h *chain) beginSession(r *rapid.T) {
	account, session := h.as(r)
	h.sessions[account] = append(h.sessions[account], h.Again(h.t, session))
}

// endSession ends a session from another one, of the same account or not. An ended session is refused and cannot end
// again.
func (h *chain) endSession(r *rapid.T) {
	account := rapid.IntRange(0, staff).Draw(r, "whose")
	if len(h.sessions[account]) < 2 {
		r.Skip("no session to spare")
	}
	last := len(h.sessions[account]) - 1
	victim := h.sessions[account][last]
	path := "/auth/sessions/" + victim.Session(h.t).String()
	h.send(r, victim, http.StatusOK, http.MethodGet, "/me", "")
	by, session := h.as(r)
	if by != account {
		h.send(r, session, http.StatusNotFound, http.MethodDelete, path, "")
		h.send(r, victim, http.StatusOK, http.MethodGet, "/me", "")
		return
	}
	h.sessions[account] = h.sessions[account][:last]
	h.send(r, session, http.StatusNoContent, http.MethodDelete, path, "")
	h.send(r, victim, http.StatusUnauthorized, http.MethodGet, "/me", "")
	h.send(r, victim, http.StatusUnauthorized, http.MethodPost, "/tickets", `{"title":"t","description":"d"}`)
	h.send(r, h.sessions[account][0], http.StatusNotFound, http.MethodDelete, path, "")
}
