package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// events reads all events that the user sees after a position, up to the last one.
func events(t *testing.T, u *apitest.User, p plain.ListEventsParams, last func(client.DeskEvent) bool) (found []client.DeskEvent) {
	t.Helper()
	p.Wait = new(int32(20))
	for {
		got, err := u.ListEventsWithResponse(t.Context(), &p)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, got.StatusCode(), "%s", got.Body)
		for _, e := range got.JSON200.Events {
			require.Greater(t, e.Position, *p.After)
			found = append(found, e)
			if last(e) {
				return found
			}
		}
		require.GreaterOrEqual(t, got.JSON200.Position, *p.After)
		require.GreaterOrEqual(t, got.JSON200.Head, got.JSON200.Position)
		p.After = &got.JSON200.Position
	}
}

func isCreated(ticketID uuid.UUID) func(client.DeskEvent) bool {
	return func(e client.DeskEvent) bool { return e.Type == "ticket.created" && *e.TicketID == ticketID }
}

func typesOf(events []client.DeskEvent) (types []string) {
	for _, e := range events {
		types = append(types, e.Type)
	}
	return types
}

func TestEventsAreFilteredByCaller(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{Journal: true, NoAI: true})
	admin, agent := s.Staff(t, sqlc.UserRoleAdmin), s.Staff(t, sqlc.UserRoleAgent)
	ada, bob := s.Customer(t), s.Customer(t)
	theirs, hers := bob.NewTicket(t), ada.NewTicket(t)
	ada.Say(t, hers.ID, "The second charge.")
	agent.SetStatus(t, hers.ID, client.TicketStatusPending)
	ada.Say(t, hers.ID, "And the third.")
	closing := ada.NewTicket(t)
	from := plain.ListEventsParams{After: new(int64(0))}

	all := events(t, admin, from, isCreated(closing.ID))
	for i, e := range all {
		require.EqualValues(t, i+1, e.Position, "administrators see every position")
	}
	require.Contains(t, typesOf(all), "user.created")
	ofAgent := events(t, agent, from, isCreated(closing.ID))
	require.NotContains(t, typesOf(ofAgent), "user.created")
	require.Len(t, slices.DeleteFunc(all, func(e client.DeskEvent) bool { return strings.HasPrefix(e.Type, "user.") }), len(ofAgent))

	ofAda := events(t, ada, from, isCreated(closing.ID))
	require.Equal(t, []string{
		"ticket.created", "message.created", "ticket.status_changed", "message.created", "ticket.status_changed", "ticket.created",
	}, typesOf(ofAda))
	require.Equal(t, "The second charge.", ofAda[1].Content)
	require.Equal(t, hers.Title, ofAda[0].Title)
	require.JSONEq(t, `{"from": "open", "to": "pending"}`, string(ofAda[2].Data))
	require.Equal(t, client.EventActorKindAgent, ofAda[2].Actor.Kind)
	for _, e := range ofAda {
		require.NotEqual(t, theirs.ID, *e.TicketID)
		require.Nil(t, e.Actor.ID, "customers do not see which staff member it was")
	}

	some := from
	some.Types, some.TicketID = new("message.created,ticket.deleted"), &hers.ID
	require.Equal(t, []string{"message.created", "message.created"}, typesOf(events(t, agent, some, func(e client.DeskEvent) bool {
		return e.Content == "And the third."
	})))

	timeline, err := ada.GetTimelineWithResponse(t.Context(), hers.ID, &plain.GetTimelineParams{Limit: new(int32(3))})
	require.NoError(t, err)
	require.Equal(t, typesOf(ofAda)[:3], typesOf(timeline.JSON200.Events))
	rest, err := agent.GetTimelineWithResponse(t.Context(), hers.ID, &plain.GetTimelineParams{After: &timeline.JSON200.Position})
	require.NoError(t, err)
	require.Equal(t, []string{"message.created", "ticket.status_changed"}, typesOf(rest.JSON200.Events))
	require.Equal(t, http.StatusNotFound, bob.Do(t, http.MethodGet, "/tickets/"+hers.ID.String()+"/timeline", "").Status)
}

func TestServiceSeesTheEventsOfItsCustomers(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{Journal: true, NoAI: true})
	admin := s.Staff(t, sqlc.UserRoleAdmin)
	scopes := client.Scopes{client.ScopeEvents, client.ScopeTicketsWrite, client.ScopeOnBehalf}
	key, other := admin.NewAPIKey(t, client.CreateAPIKeyRequest{Scopes: scopes}).Key, admin.NewAPIKey(t, client.CreateAPIKeyRequest{Scopes: scopes}).Key
	s.Service(t, other, "eve").NewTicket(t)
	s.Customer(t).NewTicket(t)
	ticket := s.Service(t, key, "ada").NewTicket(t)
	from := plain.ListEventsParams{After: new(int64(0))}
	require.Len(t, events(t, s.Service(t, key, ""), from, isCreated(ticket.ID)), 1)
	require.Len(t, events(t, s.Service(t, key, "ada"), from, isCreated(ticket.ID)), 1)

	narrow := admin.NewAPIKey(t, client.CreateAPIKeyRequest{Scopes: client.Scopes{client.ScopeTicketsRead}}).Key
	require.Equal(t, http.StatusForbidden, s.Service(t, narrow, "").Do(t, http.MethodGet, "/events", "").Status)
}

func TestExpiredPositionReturnsTheOldest(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{Journal: true, NoAI: true})
	admin := s.Staff(t, sqlc.UserRoleAdmin)
	events(t, admin, plain.ListEventsParams{After: new(int64(0))}, func(client.DeskEvent) bool { return true })
	storetest.Exec(t, s.DatabaseURL, `DROP TABLE journal_1; DELETE FROM journal_partitions;
		UPDATE journal_head SET position = 4710; SELECT journal_extend()`)
	ticket := s.Customer(t).NewTicket(t)
	events(t, admin, plain.ListEventsParams{After: new(int64(4710))}, isCreated(ticket.ID))
	for _, path := range []string{"/events?after=0&types=ticket.merged", "/events/stream?after=17"} {
		got := admin.Do(t, http.MethodGet, path, "")
		require.Equal(t, http.StatusGone, got.Status, "%s", got.Body)
		require.Contains(t, string(got.Body), `"code":"position_expired"`)
		require.Contains(t, string(got.Body), `"limit":4710`)
	}
	first := admin.Do(t, http.MethodGet, "/events", "")
	require.Equal(t, http.StatusOK, first.Status, "without a position, the feed begins with the oldest event")
}

// A database that was restored has lost its newest events, and gives their positions to others.
func TestPositionBeyondTheNewestIsExpired(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{Journal: true, NoAI: true})
	admin := s.Staff(t, sqlc.UserRoleAdmin)
	ticket := s.Customer(t).NewTicket(t)
	events(t, admin, plain.ListEventsParams{After: new(int64(0))}, isCreated(ticket.ID))
	head := storetest.QueryInt(t, s.DatabaseURL, "SELECT position FROM journal_head")
	for _, path := range []string{"/events?after=%d", "/events?after=%d&types=ticket.merged&wait=1", "/events/stream?after=%d"} {
		got := admin.Do(t, http.MethodGet, fmt.Sprintf(path, head+1), "")
		require.Equal(t, http.StatusGone, got.Status, "%s", got.Body)
		require.Contains(t, string(got.Body), fmt.Sprintf("The newest event has position %d.", head))
	}
	timeline := admin.Do(t, http.MethodGet, fmt.Sprintf("/tickets/%s/timeline?after=%d", ticket.ID, head+1), "")
	require.Equal(t, http.StatusOK, timeline.Status, "%s", timeline.Body)
}

func TestEventStreamResumes(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{Journal: true, NoAI: true})
	agent, ada := s.Staff(t, sqlc.UserRoleAgent), s.Customer(t)
	read := func(header string, count int) (ids []string) {
		stream := agent.OpenEvents(t, header)
		for range count {
			e, more := stream.Next()
			require.True(t, more)
			ids = append(ids, e.ID)
		}
		stream.Close()
		return ids
	}
	for range 5 {
		ada.NewTicket(t)
	}
	all := read("", 5)
	require.Equal(t, all[2:], read(all[1], 3))
}

// The client must not get events again because the next ones could not be read.
func TestEventStreamEndsWhenEventsCannotBeRead(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{Journal: true, NoAI: true})
	customer := s.Customer(t)
	last := manyEvents(t, s, customer)
	manyEvents(t, s, customer)
	read, ended := make(chan struct{}), make(chan struct{})
	stream := &stuck{httptest.NewRecorder(), "data: ", make(chan struct{}, 1), read}
	go func() {
		defer close(ended)
		readEvents(t.Context(), s, customer, stream)
	}()
	<-stream.writing
	s.Store.Close()
	close(read)
	select {
	case <-ended:
	case <-time.After(patience):
		require.Fail(t, "the stream goes on")
	}
	require.Equal(t, 1, strings.Count(stream.Body.String(), "id: "+last+"\n"))
}
