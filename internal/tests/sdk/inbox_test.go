package sdktest_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/testing/desk"
)

// The guide contains the program below, and the program works.
func TestGuideStaffInbox(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../httpapi/docs/guides/8-staff-inbox.md")
	require.NoError(t, err)
	_, shown, _ := strings.Cut(string(guide), "```go\n")
	shown, _, _ = strings.Cut(shown, "```")
	source, err := os.ReadFile("inbox_test.go")
	require.NoError(t, err)
	_, program, _ := strings.Cut(string(source), "\n// inbox answers")
	require.Equal(t, shown, "// inbox answers"+program)
	require.LessOrEqual(t, strings.Count(shown, "\n"), 50)

	s := desk.New(t, desk.Options{NoAI: true})
	customer, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	first, _ := customer.NewTicket(t), customer.NewTicket(t)
	support := connect(t, s, client.WithToken(agent.Token))
	var out strings.Builder
	require.NoError(t, inbox(t.Context(), support, &out))
	require.Equal(t, fmt.Sprintf("2 unassigned, 0 mine, 2 in all\n%[1]s%[1]s", "normal "+first.Title+"\n"), out.String())
	resolved, err := support.GetTicket(t.Context(), first.ID)
	require.NoError(t, err)
	require.Equal(t, client.TicketStatusResolved, resolved.Status)
	require.Equal(t, agent.ID, *resolved.AssigneeID)
}

func TestListWithoutPagesIsASlice(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	customer, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	ticket := customer.NewTicket(t)
	unknown := uuid.New()
	results, err := connect(t, s, client.WithToken(agent.Token)).UpdateTickets(t.Context(), client.UpdateTicketsRequest{
		TicketIDs: []client.ID{ticket.ID, unknown}, Status: client.TicketStatusResolved,
	})
	require.NoError(t, err)
	require.Len(t, results, 2)
	require.True(t, results[0].Changed)
	require.Equal(t, client.ProblemCodeNotFound, results[1].Problem.Code)
}

// inbox answers the unassigned ticket whose customer has waited longest.
func inbox(ctx context.Context, support *client.Support, out io.Writer) error {
	counts, err := support.CountStaffTickets(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d unassigned, %d mine, %d in all\n", counts.Unassigned, counts.Mine, counts.All)

	awake := false
	waiting := &client.ListStaffTicketsParams{Sort: "waiting", Assignee: "none", Snoozed: &awake}
	var next *client.Ticket
	for ticket, err := range support.ListStaffTickets(ctx, waiting) {
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%-6s %s\n", ticket.Priority, ticket.Title)
		if next == nil {
			next = &ticket
		}
	}
	if next == nil {
		return nil
	}

	me, err := support.GetMe(ctx)
	if err != nil {
		return err
	}
	if _, err = support.UpdateTicket(ctx, next.ID, client.UpdateTicketRequest{
		AssigneeID: nullable.NewNullableWithValue(me.ID), Tags: &client.Tags{"inbox"},
	}); err != nil {
		return err
	}
	if _, err = support.CreateMessage(ctx, next.ID, client.CreateMessageRequest{Content: "We are on it."}); err != nil {
		return err
	}
	_, err = support.UpdateTicket(ctx, next.ID, client.UpdateTicketRequest{Status: client.TicketStatusResolved})
	return err
}
