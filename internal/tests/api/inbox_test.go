package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// inboxOf returns the joined titles of all pages of a list, and the number of pages.
func inboxOf(t *testing.T, u *apitest.User, query string) (titles string, pages int) {
	t.Helper()
	var all []string
	for path := "/staff/tickets?" + query; path != ""; pages++ {
		got := u.Do(t, http.MethodGet, path, "")
		require.Equal(t, http.StatusOK, got.Status, "%s: %s", path, got.Body)
		var tickets []client.Ticket
		require.NoError(t, json.Unmarshal(got.Body, &tickets))
		for _, ticket := range tickets {
			all = append(all, ticket.Title)
		}
		path = ""
		if link := got.Header.Get("Link"); link != "" {
			path = strings.TrimPrefix(strings.TrimSuffix(link, `>; rel="next"`), "<")
		}
	}
	return strings.Join(all, " "), pages
}

// fillInbox stores tickets a to f, one minute apart, in known states, and returns their customer and agent.
func fillInbox(t *testing.T, s *desk.Desk) (customer, agent *apitest.User, teamID uuid.UUID) {
	t.Helper()
	customer, agent = s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	teamID = uuid.Must(uuid.NewV7())
	storetest.Exec(t, s.DatabaseURL, "INSERT INTO teams (id, name) VALUES ($1, 'A team')", teamID)
	for i, row := range []string{
		"'open', 'normal', NULL, NULL, '{}', NULL, NULL, 5, NULL",
		"'open', 'urgent', @me, NULL, '{vip}', 'CRM-2', NULL, 3, NULL",
		"'pending', 'high', @me, @team, '{vip,refund}', NULL, NULL, NULL, NULL",
		"'open', 'urgent', NULL, @team, '{}', NULL, now() + interval '1 hour', 4, NULL",
		"'resolved', 'low', @me, @team, '{refund}', NULL, NULL, NULL, now()",
		"'closed', 'normal', NULL, NULL, '{}', NULL, NULL, NULL, now()",
	} {
		values := strings.NewReplacer("@me", "'"+agent.ID.String()+"'", "@team", "'"+teamID.String()+"'").Replace(row)
		storetest.Exec(t, s.DatabaseURL, fmt.Sprintf(`INSERT INTO tickets (status, priority, assignee_id, team_id, tags, external_id,
				snoozed_until, waiting_since, resolved_at, id, user_id, title, description, created_at, updated_at)
			SELECT v.status::ticket_status, v.priority::ticket_priority, v.assignee::uuid, v.team::uuid, v.tags::text[], v.external,
				v.snoozed::timestamptz, '2026-01-01T00:00:00Z'::timestamptz + v.waiting::integer * interval '1 minute',
				v.resolved::timestamptz, $1, $2, $3, 'x', '2026-01-01T00:00:00Z'::timestamptz + %d * interval '1 minute', '2026-02-01T00:00:00Z'
			FROM (VALUES (%s)) AS v (status, priority, assignee, team, tags, external, snoozed, waiting, resolved)`, i, values),
			uuid.Must(uuid.NewV7()), customer.ID, string(rune('a'+i)))
	}
	storetest.Exec(t, s.DatabaseURL, `UPDATE tickets SET ai_mode = 'off', handoff_reason = 'other', handed_off_at = now()
		WHERE title IN ('a', 'f')`)
	storetest.Exec(t, s.DatabaseURL, `INSERT INTO ai_responses (id, ticket_id, model, lease_expires_at, kind, status, content, finish_reason, finished_at, review, reviewed_at)
		SELECT gen_random_uuid(), t.id, 'a-model', now(), v.kind::ai_response_kind, v.status::ai_response_status, v.content,
			CASE WHEN v.content <> '' THEN 'stop' END, CASE WHEN v.content <> '' THEN now() END, v.review::ai_review,
			CASE WHEN v.review = 'discarded' THEN now() END
		FROM (VALUES ('b', 'answer', 'completed', 'A draft', 'pending'), ('b', 'summarize', 'streaming', NULL, NULL),
			('c', 'answer', 'streaming', NULL, NULL), ('c', 'triage', 'streaming', NULL, NULL),
			('d', 'answer', 'completed', 'A draft', 'pending'), ('d', 'answer', 'completed', 'A draft', 'discarded')
		) AS v (title, kind, status, content, review)
		JOIN tickets AS t ON t.title = v.title`)
	storetest.Exec(t, s.DatabaseURL, "UPDATE tickets SET description = 'Zebras' WHERE title = 'a'")
	storetest.Exec(t, s.DatabaseURL, `INSERT INTO messages (id, ticket_id, author, author_id, content, created_at, is_note)
		SELECT gen_random_uuid(), t.id, 'agent', $1, v.content, now() + v.number * interval '1 second', v.is_note
		FROM (VALUES (1, 'd', 'One zebra', false), (2, 'd', 'Two zebras', false), (3, 'e', 'A striped zebra', true),
			(4, 'f', 'Stripes', false)) AS v (number, title, content, is_note)
		JOIN tickets AS t ON t.title = v.title`, agent.ID)
	require.NoError(t, s.Search.Index(t.Context()))
	return customer, agent, teamID
}

func TestInboxIsFilteredAndSorted(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	customer, agent, teamID := fillInbox(t, s)
	for query, want := range map[string]string{
		"":                                   "f e d c b a",
		"status=open":                        "d b a",
		"status=unresolved":                  "d c b a",
		"status=resolved&assignee=me":        "e",
		"priority=urgent":                    "d b",
		"assignee=me":                        "e c b",
		"assignee=" + agent.ID.String():      "e c b",
		"assignee=none":                      "f d a",
		"assignee=none&status=unresolved":    "d a",
		"team=" + teamID.String():            "e d c",
		"team=none":                          "f b a",
		"tag=vip":                            "c b",
		"tag=refund&status=unresolved":       "c",
		"tag=unknown":                        "",
		"requester=" + customer.ID.String():  "f e d c b a",
		"requester=" + agent.ID.String():     "",
		"external_id=CRM-2":                  "b",
		"ai_mode=off":                        "f a",
		"ai_state=answering":                 "c",
		"ai_state=answering&sort=priority":   "c",
		"ai_state=needs_review":              "d b",
		"ai_state=needs_review&assignee=me":  "b",
		"ai_state=needs_review&sort=waiting": "b d",
		"ai_state=handed_off":                "f a",
		"ai_state=handed_off&status=open":    "a",
		"q=zebra":                            "e d a",
		"q=zebra&status=unresolved":          "d a",
		"q=zebra&sort=waiting":               "d a",
		"q=zebra&sort=priority":              "d a",
		"q=%22striped+zebra%22":              "e",
		"q=the":                              "",
		"q=giraffe":                          "",
		"snoozed=true":                       "d",
		"snoozed=false&status=unresolved":    "c b a",
		"created_after=2026-01-01T00:04:00Z": "f e",
		"created_after=2026-01-01T00:01:00Z&created_before=2026-01-01T01:03:00%2B01:00": "c b",
		"updated_after=2026-03-01T00:00:00Z":                                            "",
		"updated_before=2026-03-01T00:00:00Z":                                           "f e d c b a",
		"waiting_before=2026-01-01T00:04:30Z":                                           "d b",
		"sort=waiting":                                                                  "b d a",
		"sort=waiting&waiting_after=2026-01-01T00:04:00Z":                               "d a",
		"sort=waiting&assignee=me":                                                      "b",
		"sort=waiting&team=" + teamID.String():                                          "d",
		"sort=waiting&snoozed=false":                                                    "b a",
		"sort=priority":                                                                 "b d c a",
		"sort=priority&assignee=me":                                                     "b c",
		"sort=priority&team=" + teamID.String():                                         "d c",
		"sort=priority&assignee=me&team=none":                                           "b",
		"sort=priority&created_after=2026-01-01T00:02:00Z":                              "d c",
	} {
		titles, _ := inboxOf(t, agent, query)
		require.Equal(t, want, titles, query)
		titles, pages := inboxOf(t, agent, query+"&limit=1")
		require.Equal(t, want, titles, "%s, one by one", query)
		require.GreaterOrEqual(t, pages, len(strings.Fields(want)), query)
	}
	agent.Do(t, http.MethodGet, "/staff/tickets?created_after=2026-02-30T00:00:00Z", "").
		RequireProblem(t, http.StatusBadRequest, client.ProblemCodeInvalidParameter)
	agent.Do(t, http.MethodGet, "/staff/tickets?snoozed=1", "").
		RequireProblem(t, http.StatusBadRequest, client.ProblemCodeInvalidParameter)

	counts, err := agent.CountStaffTicketsWithResponse(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, &client.StaffTicketCounts{Mine: 2, Unassigned: 1, AIAnswering: 1, NeedsReview: 2, Snoozed: 1, All: 3}, counts.JSON200)
}

// A page never reads more tickets than its limit, however few of them match. The list still reaches its end.
func TestListContinuesAfterAPageWithoutMatches(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	customer, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	storetest.Exec(t, s.DatabaseURL, `INSERT INTO tickets (id, user_id, title, description, created_at, priority)
		SELECT gen_random_uuid(), $1, n::text, 'x', '2026-01-01T00:00:00Z'::timestamptz + n * interval '1 second',
			CASE WHEN n IN (7, 1200) THEN 'low' ELSE 'normal' END::ticket_priority
		FROM generate_series(1, 2500) AS n`, customer.ID)
	titles, pages := inboxOf(t, agent, "priority=low")
	require.Equal(t, "1200 7", titles)
	require.Equal(t, 3, pages)
	titles, pages = inboxOf(t, agent, "priority=low&limit=1")
	require.Equal(t, "1200 7", titles)
	require.LessOrEqual(t, pages, 5)
}

func TestOnlyAdministratorsChangeTeams(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	customer, agent, admin := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent), s.Staff(t, sqlc.UserRoleAdmin)
	created, err := admin.CreateTeamWithResponse(t.Context(), nil, client.CreateTeamRequest{
		Name: "Billing", MemberIDs: client.TeamMemberIDs{agent.ID},
	})
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, created.StatusCode(), "%s", created.Body)
	id := created.JSON201.ID
	require.Equal(t, client.TeamMemberIDs{agent.ID}, created.JSON201.MemberIDs)
	refused, err := admin.CreateTeamWithResponse(t.Context(), nil, client.CreateTeamRequest{
		Name: "Billing", MemberIDs: client.TeamMemberIDs{customer.ID},
	})
	require.NoError(t, err)
	problem := apitest.RequireProblem(t, refused.StatusCode(), refused.Body, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed)
	require.Equal(t, "/member_ids", problem.Errors[0].Pointer)

	path := "/teams/" + id.String()
	tag := "If-Match: " + created.HTTPResponse.Header.Get("ETag")
	changed := admin.Do(t, http.MethodPatch, path, `{"name":"Refunds","member_ids":[]}`, contentJSON, tag)
	require.Equal(t, http.StatusOK, changed.Status, "%s", changed.Body)
	admin.Do(t, http.MethodPatch, path, `{"name":"Other"}`, contentJSON, tag).
		RequireProblem(t, http.StatusPreconditionFailed, client.ProblemCodePreconditionFailed)
	read, err := agent.GetTeamWithResponse(t.Context(), id, nil)
	require.NoError(t, err)
	require.Equal(t, "Refunds", read.JSON200.Name)
	require.Empty(t, read.JSON200.MemberIDs)

	ticket := customer.NewTicket(t)
	update(t, agent, ticket.ID, client.UpdateTicketRequest{TeamID: nullable.NewNullableWithValue(id)})
	require.Equal(t, http.StatusNoContent, admin.Do(t, http.MethodDelete, path, "").Status)
	require.Nil(t, getTicket(t, agent, ticket).TeamID)
	require.Equal(t, fmt.Sprintf(`system {"team_id": {"to": null, "from": %q}}`, id), journalOf(t, s, ticket.ID, "actor_kind || ' ' || data::text")[2])
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		admin.Do(t, method, path, "").RequireProblem(t, http.StatusNotFound, client.ProblemCodeNotFound)
	}
	require.Equal(t, "[]\n", string(agent.Do(t, http.MethodGet, "/teams", "").Body))
	refuse(t, agent, ticket.ID, client.UpdateTicketRequest{TeamID: nullable.NewNullableWithValue(id)},
		http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed)
}

// TestPagesOfAStateAreFull has more tickets before the matching ones than a page reads.
func TestPagesOfAStateAreFull(t *testing.T) {
	t.Parallel()
	c := newCast(t)
	storetest.Exec(t, c.DatabaseURL, "ALTER TABLE tickets DISABLE TRIGGER USER")
	storetest.Exec(t, c.DatabaseURL, `INSERT INTO tickets (id, user_id, title, description, priority, created_at, waiting_since, ai_mode, handoff_reason, handed_off_at, snoozed_until)
		SELECT gen_random_uuid(), $1, CASE WHEN n > 1100 THEN 'busy' ELSE 'idle' END, 'x', CASE WHEN n > 1100 THEN 'low' ELSE 'urgent' END::ticket_priority,
			now() + n * interval '1 second', now() + n * interval '1 second',
			CASE WHEN n > 1100 THEN 'off' ELSE 'auto' END::ai_mode, CASE WHEN n > 1100 THEN 'other'::handoff_reason END, CASE WHEN n > 1100 THEN now() END,
			CASE WHEN n > 1100 THEN now() + interval '1 day' END
		FROM generate_series(1, 1160) AS n`, c.owner.ID)
	for status, review := range map[string]string{"streaming": "NULL", "completed": "'pending'"} {
		storetest.Exec(t, c.DatabaseURL, `INSERT INTO ai_responses (id, ticket_id, model, lease_expires_at, status, content, finish_reason, finished_at, review)
			SELECT gen_random_uuid(), t.id, 'a-model', now() + interval '1 hour', '`+status+`',
				CASE '`+status+`' WHEN 'completed' THEN 'A draft' END, CASE '`+status+`' WHEN 'completed' THEN 'stop' END,
				CASE '`+status+`' WHEN 'completed' THEN now() END, `+review+`
			FROM tickets AS t WHERE t.title = 'busy'`)
	}
	for _, state := range []string{
		"ai_state=answering", "ai_state=needs_review", "ai_state=handed_off", "snoozed=true", "snoozed=true&status=unresolved",
	} {
		for _, sort := range []string{"newest", "waiting", "priority"} {
			var pages []int
			for path := "/staff/tickets?limit=50&" + state + "&sort=" + sort; path != ""; {
				got := c.agent.Do(t, http.MethodGet, path, "")
				require.Equal(t, http.StatusOK, got.Status, "%s", got.Body)
				var tickets []client.Ticket
				require.NoError(t, json.Unmarshal(got.Body, &tickets))
				pages, path = append(pages, len(tickets)), ""
				if next := linkPattern.FindStringSubmatch(got.Header.Get("Link")); next != nil {
					path = next[1]
				}
			}
			require.Equal(t, []int{50, 10}, pages, "%s by %s", state, sort)
		}
	}
}
