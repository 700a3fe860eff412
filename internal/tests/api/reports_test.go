package api_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

func summary(t *testing.T, u *apitest.User, query string) client.ReportSummary {
	t.Helper()
	got := u.Do(t, http.MethodGet, "/staff/reports/summary"+query, "")
	require.Equal(t, http.StatusOK, got.Status, "%s", got.Body)
	var found client.ReportSummary
	require.NoError(t, json.Unmarshal(got.Body, &found))
	return found
}

func TestReportSummary(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	ada, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	teamID := uuid.New()
	storetest.Exec(t, s.DatabaseURL, "INSERT INTO teams (id, name) VALUES ($1, 'Billing')", teamID)
	// One ticket on each of three days, answered after 10, 20 and 30 minutes. The first two are resolved a day later.
	begin := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	for i := range 3 {
		id, at := ada.NewTicket(t).ID, begin.AddDate(0, 0, i)
		storetest.Exec(t, s.DatabaseURL, `UPDATE tickets SET created_at = $2, first_response_at = $3, assignee_id = $4, team_id = $5 WHERE id = $1`,
			id, at, at.Add(time.Duration(i+1)*10*time.Minute), agent.ID, teamID)
		if i < 2 {
			storetest.Exec(t, s.DatabaseURL, `UPDATE tickets SET status = 'resolved', resolved_at = $2, assignee_id = NULL, team_id = NULL
				WHERE id = $1`, id, at.AddDate(0, 0, 1))
		}
		for _, figure := range []struct{ review, published any }{{nil, nil}, {"published", 0}, {"published", 3}, {"discarded", nil}} {
			storetest.Exec(t, s.DatabaseURL, `INSERT INTO ai_responses (id, ticket_id, status, model, review, edit_distance, reviewed_at,
				customer_id, content, finish_reason, prompt_tokens, completion_tokens, lease_expires_at, created_at, finished_at)
				VALUES (gen_random_uuid(), $1, 'superseded', 'm', $2::ai_review, $3, CASE WHEN $2::ai_review IS NULL THEN NULL ELSE now() END,
				NULL, CASE WHEN $2::ai_review IS NULL THEN NULL ELSE 'x' END, 'stop', 10, 5, now(), $4, now())`,
				id, figure.review, figure.published, at)
		}
	}
	minutes := func(n int64) *int64 { n *= 60; return &n }

	byDay := summary(t, agent, "?from=2026-03-01&to=2026-03-03")
	require.Equal(t, "2026-03-01", byDay.From)
	require.Equal(t, "2026-03-03", byDay.To)
	total := byDay.Total
	require.EqualValues(t, 3, total.Created)
	require.EqualValues(t, 2, total.Resolved)
	require.EqualValues(t, 1, total.Unresolved)
	require.Equal(t, client.ReportTimes{Count: 3, P50Seconds: minutes(20), P90Seconds: minutes(28)}, total.FirstResponse)
	require.Equal(t, minutes(24*60), total.Resolution.P50Seconds)
	require.Equal(t, client.ReportAI{
		Answered: 3, Drafted: 9, PublishedUnchanged: 3, PublishedEdited: 3, Discarded: 3, Tokens: 180,
	}, total.AI)
	require.Len(t, byDay.Groups, 3)
	require.Equal(t, "2026-03-02", byDay.Groups[1].Day)
	require.EqualValues(t, 1, byDay.Groups[1].Figures.Created)
	require.EqualValues(t, 1, byDay.Groups[1].Figures.Resolved)
	require.Equal(t, minutes(20), byDay.Groups[1].Figures.FirstResponse.P50Seconds)
	require.Nil(t, byDay.Groups[0].Figures.Resolution.P50Seconds)

	byTeam := summary(t, agent, "?from=2026-03-01&to=2026-03-03&group_by=team")
	require.Equal(t, total, byTeam.Total)
	require.Len(t, byTeam.Groups, 2)
	require.Equal(t, &teamID, byTeam.Groups[0].TeamID)
	require.EqualValues(t, 1, byTeam.Groups[0].Figures.Created)
	require.EqualValues(t, 1, byTeam.Groups[0].Figures.Unresolved)
	require.Nil(t, byTeam.Groups[1].TeamID)
	require.EqualValues(t, 2, byTeam.Groups[1].Figures.Resolved)
	byAgent := summary(t, agent, "?from=2026-03-01&to=2026-03-03&group_by=agent")
	require.Equal(t, &agent.ID, byAgent.Groups[0].AgentID)

	require.Zero(t, summary(t, agent, "").Total.Created, "the last 30 days")
	require.Empty(t, summary(t, agent, "?from=2026-01-01&to=2026-01-01").Groups)
	for _, query := range []string{
		"?from=2026-02-30", "?from=2026-03-02&to=2026-03-01", "?from=2026-01-01&to=2026-04-03", "?group_by=month", "?from=yesterday", "?to=0000-01-01&from=9999-12-31",
	} {
		agent.Do(t, http.MethodGet, "/staff/reports/summary"+query, "").
			RequireProblem(t, http.StatusBadRequest, client.ProblemCodeInvalidParameter)
	}
	summary(t, agent, "?from=2026-01-01&to=2026-04-02")
	ada.Do(t, http.MethodGet, "/staff/reports/summary", "").RequireProblem(t, http.StatusForbidden, client.ProblemCodeForbidden)
}

func TestDueTimesFollowTheTargets(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	admin, ada := s.Staff(t, sqlc.UserRoleAdmin), s.Customer(t)
	const targets = `{"normal":{"first_response_minutes":60},"urgent":{"first_response_minutes":10,"resolution_minutes":100}}`
	before := admin.Do(t, http.MethodGet, "/sla-targets", "")
	require.JSONEq(t, "{}", string(before.Body))
	without := ada.NewTicket(t)
	tag := "If-Match: " + before.Header.Get("ETag")
	put := admin.Do(t, http.MethodPut, "/sla-targets", targets, jsonType, tag)
	require.Equal(t, http.StatusOK, put.Status, "%s", put.Body)
	require.JSONEq(t, targets, string(put.Body))
	admin.Do(t, http.MethodPut, "/sla-targets", "{}", jsonType, tag).
		RequireProblem(t, http.StatusPreconditionFailed, client.ProblemCodePreconditionFailed)
	require.Equal(t, put.Header.Get("ETag"), admin.Do(t, http.MethodGet, "/sla-targets", "").Header.Get("ETag"))

	due := func(id uuid.UUID) (firstResponse, resolution string) {
		var shown struct {
			FirstResponse string `json:"first_response_due_at"`
			Resolution    string `json:"resolution_due_at"`
		}
		require.NoError(t, json.Unmarshal(admin.Do(t, http.MethodGet, "/tickets/"+id.String(), "").Body, &shown))
		return shown.FirstResponse, shown.Resolution
	}
	first, _ := due(without.ID)
	require.Empty(t, first)
	ticket := ada.NewTicket(t)
	require.Empty(t, ticket.FirstResponseDueAt, "only staff see it")
	wire := func(d time.Duration) string { return ticket.CreatedAt.Add(d).Format("2006-01-02T15:04:05.000000Z") }
	first, resolution := due(ticket.ID)
	require.Equal(t, wire(time.Hour), first)
	require.Empty(t, resolution)
	changed := admin.Do(t, http.MethodPatch, "/tickets/"+ticket.ID.String(), `{"priority":"urgent"}`, jsonType)
	require.Equal(t, http.StatusOK, changed.Status, "%s", changed.Body)
	first, resolution = due(ticket.ID)
	require.Equal(t, wire(10*time.Minute), first)
	require.Equal(t, wire(100*time.Minute), resolution)
}

func TestLateTicketsAreJournaledOnce(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	admin, ada := s.Staff(t, sqlc.UserRoleAdmin), s.Customer(t)
	put := admin.Do(t, http.MethodPut, "/sla-targets", `{"normal":{"first_response_minutes":100,"resolution_minutes":1000}}`, jsonType)
	require.Equal(t, http.StatusOK, put.Status, "%s", put.Body)
	ticket := ada.NewTicket(t).ID
	// pass makes the ticket older, and returns the entries that the sweep adds.
	pass := func(minutes int) string {
		storetest.Exec(t, s.DatabaseURL, `UPDATE tickets SET created_at = created_at - $2 * interval '1 minute',
			first_response_due_at = first_response_due_at - $2 * interval '1 minute', resolution_due_at = resolution_due_at - $2 * interval '1 minute',
			sla_check_at = sla_check_at - $2 * interval '1 minute' WHERE id = $1`, ticket, minutes)
		before := countRows(t, s, "journal_outbox")
		require.NoError(t, s.Reports.Sweep(t.Context()))
		require.NoError(t, s.Reports.Sweep(t.Context()))
		return storetest.QueryText(t, s.DatabaseURL, `SELECT coalesce(string_agg(type || ' ' || (data->>'target'), ', ' ORDER BY id), '')
			FROM (SELECT * FROM journal_outbox ORDER BY id OFFSET `+strconv.Itoa(before)+`) AS o WHERE type LIKE 'sla.%' AND customer_id IS NULL AND actor_kind = 'system'`)
	}
	require.Empty(t, pass(79))
	require.Equal(t, "sla.warning first_response", pass(2))
	require.Empty(t, pass(1))
	require.Equal(t, "sla.breached first_response", pass(20))
	admin.SetStatus(t, ticket, client.TicketStatusResolved)
	require.Empty(t, pass(800), "it is resolved")
	admin.SetStatus(t, ticket, client.TicketStatusOpen)
	require.Equal(t, "sla.warning resolution", pass(0))
	require.Equal(t, "sla.breached resolution", pass(100))
	require.Empty(t, pass(10_000))
	require.Equal(t, 1, countRows(t, s, "tickets WHERE sla_check_at IS NULL AND cardinality(sla_noted) = 4"))
	require.Equal(t, 4, countRows(t, s, `journal_outbox WHERE data->>'due_at' ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$'`), "times have one form")

	late := ada.NewTicket(t).ID
	ticket = late
	require.Equal(t, "sla.breached first_response, sla.breached resolution", pass(5000), "no warning after the deadline")
}
