package httpapi

import (
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/httpapi/contract"
	"github.com/supportbackend/support/internal/inbox"
	"github.com/supportbackend/support/internal/team"
	"github.com/supportbackend/support/internal/ticket"
	"github.com/supportbackend/support/internal/timestamp"
)

// The bridge between rows and the wire, of what staff do with tickets.

func fromCreateTicketRequest(r api.CreateTicketRequest) ticket.Opening {
	return ticket.Opening{
		Title: r.Title, Description: r.Description, ExternalID: r.ExternalID, Upsert: r.Upsert,
		Priority: sqlc.TicketPriority(r.Priority), Tags: r.Tags, CustomFields: r.CustomFields,
	}
}

func fromUpdateTicketRequest(r api.UpdateTicketRequest) ticket.Change {
	return ticket.Change{
		Status: sqlc.TicketStatus(r.Status), AIMode: sqlc.AIMode(r.AIMode), Priority: sqlc.TicketPriority(r.Priority),
		AssigneeID: r.AssigneeID, TeamID: r.TeamID, Tags: r.Tags, CustomFields: r.CustomFields, ExternalID: r.ExternalID,
		SnoozedUntil: r.SnoozedUntil,
	}
}

func fromUpdateTicketsRequest(r api.UpdateTicketsRequest) ticket.BulkChange {
	return ticket.BulkChange{
		Change: ticket.Change{
			Status: sqlc.TicketStatus(r.Status), AIMode: sqlc.AIMode(r.AIMode), Priority: sqlc.TicketPriority(r.Priority),
			AssigneeID: r.AssigneeID, TeamID: r.TeamID, SnoozedUntil: r.SnoozedUntil,
		},
		AddTags: r.AddTags, RemoveTags: r.RemoveTags,
	}
}

// toTicketResult converts the results of the request with this id.
func toTicketResult(requestID string) func(ticket.BulkResult) api.TicketResult {
	return func(r ticket.BulkResult) api.TicketResult {
		result := api.TicketResult{TicketID: r.ID, Changed: r.Err == nil}
		if r.Err != nil {
			problem := toProblem(r.Err, requestID)
			result.Problem = &problem
		}
		return result
	}
}

func toTeam(t team.Team) api.Team {
	return api.Team{
		ID: t.Team.ID, Name: t.Team.Name, MemberIDs: t.MemberIDs,
		CreatedAt: toTimestamp(t.Team.CreatedAt), UpdatedAt: toTimestamp(t.Team.UpdatedAt),
	}
}

func fromUpdateTeamRequest(r api.UpdateTeamRequest) team.Change {
	return team.Change{Name: r.Name, Members: r.MemberIDs}
}

func toStaffTicketCounts(c inbox.Counts) api.StaffTicketCounts {
	return api.StaffTicketCounts{
		Mine: c.Mine, Unassigned: c.Unassigned, AIAnswering: c.Answering, NeedsReview: c.NeedsReview, Snoozed: c.Snoozed, All: c.Unresolved,
	}
}

const (
	unresolved = "unresolved"
	me         = "me"
	nobody     = "none"
)

func fromListStaffTicketsParams(actor auth.Actor, p api.ListStaffTicketsParams) (f inbox.Filter, err error) {
	f = inbox.Filter{
		Sort: inbox.SortNewest, Unresolved: p.Status == unresolved, Priority: orNil(sqlc.TicketPriority(p.Priority)),
		Tag: orNil(p.Tag), Requester: p.Requester, ExternalID: orNil(p.ExternalID), AIMode: orNil(sqlc.AIMode(p.AIMode)),
		AIState: inbox.AIState(p.AIState), Text: p.Q, Snoozed: p.Snoozed, Assignee: fromHolder(actor, p.Assignee), Team: fromHolder(actor, p.Team),
	}
	if p.Sort != "" {
		f.Sort = inbox.Sort(p.Sort)
	}
	if !f.Unresolved {
		f.Status = sqlc.TicketStatus(p.Status)
	}
	for _, bound := range []struct {
		name string
		text *string
		at   **time.Time
	}{
		{"created_after", p.CreatedAfter, &f.Created.From},
		{"created_before", p.CreatedBefore, &f.Created.To},
		{"updated_after", p.UpdatedAfter, &f.Updated.From},
		{"updated_before", p.UpdatedBefore, &f.Updated.To},
		{"waiting_after", p.WaitingAfter, &f.Waiting.From},
		{"waiting_before", p.WaitingBefore, &f.Waiting.To},
	} {
		if *bound.at, err = fromTimeFilter(bound.name, bound.text); err != nil {
			return f, err
		}
	}
	return f, nil
}

// fromHolder parses an assignee filter: an account, me, or nobody.
func fromHolder(actor auth.Actor, text string) nullable.Nullable[uuid.UUID] {
	switch text {
	case "":
		return nil
	case nobody:
		return nullable.NewNullNullable[uuid.UUID]()
	case me:
		return nullable.NewNullableWithValue(actor.ID)
	default:
		return nullable.NewNullableWithValue(uuid.MustParse(text)) // It matches the contract's pattern.
	}
}

// fromTimeFilter parses a time in the query.
func fromTimeFilter(name string, text *string) (*time.Time, error) {
	if text == nil {
		return nil, nil
	}
	at, code := timestamp.Parse(*text)
	if code != "" {
		return nil, contract.InvalidParameter("query", name, apperr.Field{Code: code})
	}
	return &at, nil
}

// staffList is the name of a list of tickets for its cursors: the path, with the query that filters and sorts it.
func staffList(p api.ListStaffTicketsParams) string {
	query := url.Values{}
	for name, value := range map[string]string{
		"sort": string(p.Sort), "status": string(p.Status), "priority": string(p.Priority), "assignee": p.Assignee, "team": p.Team,
		"tag": p.Tag, "external_id": p.ExternalID, "ai_mode": string(p.AIMode), "ai_state": string(p.AIState), "q": p.Q,
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	for name, at := range map[string]*string{
		"created_after": p.CreatedAfter, "created_before": p.CreatedBefore, "updated_after": p.UpdatedAfter,
		"updated_before": p.UpdatedBefore, "waiting_after": p.WaitingAfter, "waiting_before": p.WaitingBefore,
	} {
		if at != nil {
			query.Set(name, *at)
		}
	}
	if p.Requester != nil {
		query.Set("requester", p.Requester.String())
	}
	if p.Snoozed != nil {
		query.Set("snoozed", strconv.FormatBool(*p.Snoozed))
	}
	if len(query) == 0 {
		return staffTicketsPath
	}
	return staffTicketsPath + "?" + query.Encode()
}

func fromHandOffTicketRequest(r api.HandOffTicketRequest) ticket.Handoff {
	return ticket.Handoff{Reason: sqlc.HandoffReason(r.Reason), Note: r.Note}
}
