package sdktest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/desk"
)

// requireShown checks that a guide contains a program of this file, from its first comment to the one that follows it.
func requireShown(t *testing.T, guide, begins, ends string) {
	t.Helper()
	text, err := os.ReadFile("../../httpapi/docs/guides/" + guide)
	require.NoError(t, err)
	_, shown, _ := strings.Cut(string(text), "```go\n")
	shown, _, _ = strings.Cut(shown, "```")
	source, err := os.ReadFile("guides_test.go")
	require.NoError(t, err)
	_, program, _ := strings.Cut(string(source), "\n"+begins)
	program, _, _ = strings.Cut(program, ends)
	require.Equal(t, shown, begins+program)
}

func TestGuideAIRequests(t *testing.T) {
	t.Parallel()
	requireShown(t, "8-ai-requests.md", "// assist prints", "\n// saveExport writes")
	s := desk.New(t, desk.Options{})
	ticket, agent := s.Customer(t).NewTicket(t), s.Staff(t, sqlc.UserRoleAgent)
	support := connect(t, s, client.WithToken(agent.Token))
	for _, answer := range []string{
		"Charged twice.",
		`{"priority":"high","tags":["billing"],"language":"en","sentiment":"angry","hand_off":false,"reason":"Money."}`,
		"You get it back.",
	} {
		require.NoError(t, s.Simulator.Enqueue(groqsim.Script{Deltas: []string{answer}}))
	}
	var out strings.Builder
	reply, err := assist(t.Context(), support, ticket.ID, &out)
	require.NoError(t, err)
	require.Equal(t, "You get it back.", reply)
	require.Equal(t, "Charged twice.\nangry: Money.\n", out.String())
	sorted, err := support.GetTicket(t.Context(), ticket.ID)
	require.NoError(t, err)
	require.Equal(t, client.TicketPriorityHigh, sorted.Priority)
}

func TestGuideExport(t *testing.T) {
	t.Parallel()
	requireShown(t, "8-customer-data.md", "// saveExport writes", "\n// find prints")
	s := desk.New(t, desk.Options{NoAI: true})
	customer, admin := s.Customer(t), s.Staff(t, sqlc.UserRoleAdmin)
	customer.NewTicket(t)
	support := connect(t, s, client.WithToken(admin.Token))
	var out strings.Builder
	require.NoError(t, saveExport(t.Context(), support, customer.ID, &out))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 4)
	require.JSONEq(t, `{"type":"end","counts":{"sessions":1,"tickets":1,"messages":0,"feedback":0,"ai_responses":0}}`, lines[3])
	require.True(t, client.IsProblem(saveExport(t.Context(), support, admin.ID, &out), client.ProblemCodeNotFound))
}

func TestGuideSearch(t *testing.T) {
	t.Parallel()
	requireShown(t, "8-search.md", "// find prints", "\x00")
	s := desk.New(t, desk.Options{NoAI: true})
	customer := s.Customer(t)
	ticket := customer.NewTicket(t)
	support := connect(t, s, client.WithToken(customer.Token))
	want := fmt.Sprintf("ticket %s: I was [charged] twice for October.\n", ticket.ID)
	require.NoError(t, s.Search.Index(t.Context()))
	var out strings.Builder
	require.NoError(t, find(t.Context(), support, "charges", &out))
	require.Equal(t, want, out.String())
}

// assist prints a summary of a ticket, applies the AI's triage, and returns a suggested reply.
func assist(ctx context.Context, support *client.Support, ticketID client.ID, out io.Writer) (string, error) {
	summary, err := askFor(ctx, support, ticketID, client.CreateAIRequestRequestKindSummarize)
	if err != nil {
		return "", err
	}
	fmt.Fprintln(out, summary.Content)

	sorted, err := askFor(ctx, support, ticketID, client.CreateAIRequestRequestKindTriage)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(out, "%s: %s\n", sorted.Triage.Sentiment, sorted.Triage.Reason)
	if _, err := support.ApplyAIResponse(ctx, sorted.ID); err != nil {
		return "", err
	}

	reply, err := askFor(ctx, support, ticketID, client.CreateAIRequestRequestKindSuggestReply)
	if err != nil {
		return "", err
	}
	return reply.Content, nil
}

// askFor makes a request to the AI and waits for the result.
func askFor(
	ctx context.Context, support *client.Support, ticketID client.ID, kind client.CreateAIRequestRequestKind,
) (*client.AIResponse, error) {
	asked, err := support.CreateAIRequest(ctx, ticketID, client.CreateAIRequestRequest{Kind: kind})
	if err != nil {
		return nil, err
	}
	_, err = client.AnswerOf(support.StreamAIResponseByID(ctx, asked.ID))
	if ready := new(client.Ready); !errors.As(err, ready) {
		return nil, err
	}
	return support.GetAIResponse(ctx, asked.ID)
}

// saveExport writes a customer's export, one JSON object per line.
func saveExport(ctx context.Context, support *client.Support, customer client.UserID, out io.Writer) error {
	for line, err := range support.ExportUser(ctx, customer) {
		if err != nil {
			return err // The export is incomplete: start over.
		}
		if err := json.NewEncoder(out).Encode(line); err != nil {
			return err
		}
	}
	return nil
}

// find prints what matches, with the matching words in brackets.
func find(ctx context.Context, support *client.Support, words string, out io.Writer) error {
	for found, err := range support.SearchTickets(ctx, &client.SearchTicketsParams{Q: words}) {
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s %s: ", found.Kind, found.TicketID)
		for _, part := range found.Snippet {
			if part.Match {
				part.Text = "[" + part.Text + "]"
			}
			fmt.Fprint(out, part.Text)
		}
		fmt.Fprintln(out)
	}
	return nil
}
