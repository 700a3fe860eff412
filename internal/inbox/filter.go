package inbox

import (
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/page"
)

// Sort is an order of the staff's list.
type Sort string

// The orders: newest first; longest wait first, with only the tickets whose customer waits; most urgent first, then
// oldest, with only the tickets that are not resolved.
const (
	SortNewest   Sort = "newest"
	SortWaiting  Sort = "waiting"
	SortPriority Sort = "priority"
)

// AIState is what the AI is doing in a ticket.
type AIState string

// The states: the AI is writing an answer, a draft is in review, the ticket was handed off.
const (
	AIAnswering   AIState = "answering"
	AINeedsReview AIState = "needs_review"
	AIHandedOff   AIState = "handed_off"
)

// Filter selects and sorts tickets. Members that are empty or not specified select everything.
type Filter struct {
	Sort   Sort
	Status sqlc.TicketStatus
	// Unresolved selects tickets that are open or pending.
	Unresolved bool
	Priority   *sqlc.TicketPriority
	// Assignee and Team select tickets without one if they are null.
	Assignee, Team nullable.Nullable[uuid.UUID]
	Tag            *string
	Requester      *uuid.UUID
	ExternalID     *string
	AIMode         *sqlc.AIMode
	AIState        AIState
	// Text selects tickets in which the search finds it.
	Text    string
	Snoozed *bool
	Created Range
	Updated Range
	Waiting Range
}

// Range is a half-open range of times: from From on, and before To; nil means no limit.
type Range struct {
	From, To *time.Time
}

func (r Range) isOpen() bool { return r.From == nil && r.To == nil }

// bounds returns the range's limits, infinite ones for nil.
func (r Range) bounds() (from, to time.Time) {
	from, to = page.First.CreatedAt, page.Last.CreatedAt
	if r.From != nil {
		from = *r.From
	}
	if r.To != nil {
		to = *r.To
	}
	return from, to
}

// position returns a ticket's position in the list.
func (f Filter) position(row sqlc.ListStaffTicketsRow) page.Position {
	at := page.Position{CreatedAt: row.Ticket.CreatedAt, ID: row.Ticket.ID}
	switch f.Sort {
	case SortWaiting:
		at.CreatedAt = *row.Ticket.WaitingSince
	case SortPriority:
		at.Rank = rankOf(row.Ticket.Priority)
	case SortNewest:
	}
	return at
}

// priorities are in the order of the database's enum.
var priorities = []sqlc.TicketPriority{
	sqlc.TicketPriorityUrgent, sqlc.TicketPriorityHigh, sqlc.TicketPriorityNormal, sqlc.TicketPriorityLow,
}

func rankOf(p sqlc.TicketPriority) (rank uint8) {
	for priorities[rank] != p {
		rank++
	}
	return rank
}

// params returns the filter as the query's parameters.
func (f Filter) params(actor auth.Actor, p page.Page) sqlc.ListStaffTicketsParams {
	filter, value, exact := f.walk()
	params := sqlc.ListStaffTicketsParams{
		Filter: filter, OfValue: value, Sort: string(f.Sort), MaxRows: p.Limit + 1, MaxWalked: maxWalked,
		CallerID: actor.ID, AllCustomers: actor.SeesCustomers(),
		AnyStatus: f.Status == "" && !f.Unresolved, Statuses: f.statuses(), WithPriority: f.Priority,
		AnyAssignee: !f.Assignee.IsSpecified(), AnyTeam: !f.Team.IsSpecified(), WithTag: f.Tag, WithRequester: f.Requester,
		WithExternalID: f.ExternalID, WithAIMode: f.AIMode, Snoozed: f.Snoozed, AIState: string(f.AIState),
		AnyWaiting: f.Waiting.isOpen(), AfterPriority: sqlc.TicketPriorityUrgent,
	}
	if exact {
		params.MaxWalked = p.Limit + 1
	}
	params.WithAssignee, params.WithTeam = holder(f.Assignee), holder(f.Team)
	params.CreatedFrom, params.CreatedTo = f.Created.bounds()
	params.UpdatedFrom, params.UpdatedTo = f.Updated.bounds()
	params.WaitingFrom, params.WaitingTo = f.Waiting.bounds()
	after := p.AfterOr(f.start())
	params.AfterAt, params.AfterID = after.CreatedAt, after.ID
	if int(after.Rank) < len(priorities) {
		params.AfterPriority = priorities[after.Rank]
	}
	return params
}

// start returns the position before the first ticket.
func (f Filter) start() page.Position {
	createdBefore, waitingFrom := f.Created.To, f.Waiting.From
	switch {
	case f.Sort == SortPriority:
		return page.First
	case f.Sort == SortWaiting && waitingFrom != nil:
		return page.Position{CreatedAt: *waitingFrom}
	case f.Sort == SortWaiting:
		return page.First
	case createdBefore != nil:
		return page.Position{CreatedAt: *createdBefore}
	default:
		return page.Last
	}
}

func (f Filter) statuses() []string {
	switch {
	case f.Unresolved:
		return []string{string(sqlc.TicketStatusOpen), string(sqlc.TicketStatusPending)}
	case f.Status != "":
		return []string{string(f.Status)}
	default:
		return nil
	}
}

// walk returns the filter whose index the list reads, with its value, and whether all tickets in its range match.
func (f Filter) walk() (filter, value string, exact bool) {
	assignee, team := holder(f.Assignee), holder(f.Team)
	newest := f.Sort == SortNewest
	covered := 1 // filters
	switch {
	case f.Text != "":
		return "found", "", false
	case newest && f.ExternalID != nil:
		filter, value = "external_id", *f.ExternalID
	case f.AIState != "":
		filter = string(f.AIState)
	case newest && f.Requester != nil:
		filter, value = "requester", f.Requester.String()
	case f.Snoozed != nil && *f.Snoozed:
		filter = "snoozed"
	case newest && f.Tag != nil:
		filter, value = "tag", *f.Tag
	case assignee != nil:
		filter, value = "assignee", assignee.String()
	case team != nil:
		filter, value = "team", team.String()
	case newest && f.Assignee.IsNull() && f.Unresolved:
		filter, covered = "unassigned", 2
	case newest && f.Unresolved:
		filter = "unresolved"
	case newest && f.Status != "":
		filter, value = "status", string(f.Status)
	default:
		filter, covered = "all", 0
	}
	if f.Sort == SortPriority && f.Unresolved {
		covered++ // The sort covers it.
	}
	return filter, value, covered == f.count()
}

// count returns how many filters there are. The range of the sort column does not count, because the walk stays within
// it.
func (f Filter) count() (n int) {
	for _, filters := range []bool{
		f.Status != "" || f.Unresolved, f.Priority != nil, f.Assignee.IsSpecified(), f.Team.IsSpecified(), f.Tag != nil,
		f.Requester != nil, f.ExternalID != nil, f.AIMode != nil, f.AIState != "", f.Snoozed != nil, !f.Updated.isOpen(),
		!f.Created.isOpen() && f.Sort != SortNewest, !f.Waiting.isOpen() && f.Sort != SortWaiting,
	} {
		if filters {
			n++
		}
	}
	return n
}

// holder returns the assignee or team to filter by; nil for none.
func holder(of nullable.Nullable[uuid.UUID]) *uuid.UUID {
	if id, err := of.Get(); err == nil {
		return &id
	}
	return nil
}
