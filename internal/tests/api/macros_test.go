package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// newMacro creates a macro.
func newMacro(t *testing.T, by *apitest.User, m client.MacroSettings) client.Macro {
	t.Helper()
	created, err := by.CreateMacroWithResponse(t.Context(), nil, m)
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, created.StatusCode(), "%s", created.Body)
	return *created.JSON201
}

// applyMacro applies a macro to a ticket.
func applyMacro(t *testing.T, by *apitest.User, ticketID, macroID uuid.UUID) client.AppliedMacro {
	t.Helper()
	applied, err := by.ApplyMacroWithResponse(t.Context(), ticketID, macroID, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, applied.StatusCode(), "%s", applied.Body)
	return *applied.JSON200
}

func TestMacrosAreCreatedUpdatedAndDeleted(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	agent := s.Staff(t, sqlc.UserRoleAgent)
	settings := client.MacroSettings{
		Name: "Refund", Content: "Hello {{customer.name}}.", Status: client.TicketStatusPending, AddTags: client.Tags{"refund"},
		AssigneeID: &agent.ID,
	}
	created, err := agent.CreateMacroWithResponse(t.Context(), nil, settings)
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, created.StatusCode(), "%s", created.Body)
	macro, path := *created.JSON201, "/macros/"+created.JSON201.ID.String()
	require.Equal(t, path, created.HTTPResponse.Header.Get("Location"))
	got, err := agent.GetMacroWithResponse(t.Context(), macro.ID, nil)
	require.NoError(t, err)
	require.Equal(t, macro, *got.JSON200)

	taken, err := agent.CreateMacroWithResponse(t.Context(), nil, client.MacroSettings{Name: "REFUND", Content: "x"})
	require.NoError(t, err)
	apitest.RequireProblem(t, taken.StatusCode(), taken.Body, http.StatusConflict, client.ProblemCodeNameTaken)
	other := newMacro(t, agent, client.MacroSettings{Name: "Other", Content: "x"})
	put := func(id uuid.UUID, m client.MacroSettings, ifMatch *string) *plain.UpdateMacroResponse {
		updated, err := agent.UpdateMacroWithResponse(t.Context(), id, &plain.UpdateMacroParams{IfMatch: ifMatch}, m)
		require.NoError(t, err)
		return updated
	}
	renamed := put(other.ID, client.MacroSettings{Name: "refund", Content: "x"}, nil)
	apitest.RequireProblem(t, renamed.StatusCode(), renamed.Body, http.StatusConflict, client.ProblemCodeNameTaken)

	tag := created.HTTPResponse.Header.Get("ETag")
	updated := put(macro.ID, client.MacroSettings{Name: "Refund", Content: "Another text", IsNote: true}, &tag)
	require.Equal(t, http.StatusOK, updated.StatusCode(), "%s", updated.Body)
	require.True(t, updated.JSON200.IsNote)
	require.Empty(t, updated.JSON200.Status, "what is left out is cleared")
	require.Empty(t, updated.JSON200.AddTags)
	require.Nil(t, updated.JSON200.AssigneeID)
	stale := put(macro.ID, settings, &tag)
	apitest.RequireProblem(t, stale.StatusCode(), stale.Body, http.StatusPreconditionFailed, client.ProblemCodePreconditionFailed)

	deleted, err := agent.DeleteMacroWithResponse(t.Context(), macro.ID)
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, deleted.StatusCode())
	for _, r := range []apitest.Response{
		agent.Do(t, http.MethodGet, path, ""), agent.Do(t, http.MethodDelete, path, ""),
		agent.Do(t, http.MethodPut, path, `{"name":"x","content":"x"}`, contentJSON),
	} {
		r.RequireProblem(t, http.StatusNotFound, client.ProblemCodeNotFound)
	}
	require.Equal(t, "macro.created macro.updated macro.deleted", storetest.QueryText(t, s.DatabaseURL,
		`SELECT string_agg(type, ' ' ORDER BY id) FROM journal_outbox
		WHERE subject_id = $1 AND actor_id = $2 AND customer_id IS NULL AND data = '{}'`, macro.ID, agent.ID))
}

func TestMacrosAreListedByTheirText(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	agent := s.Staff(t, sqlc.UserRoleAgent)
	for _, name := range []string{"Größe", "Refund", "Money 100%"} {
		newMacro(t, agent, client.MacroSettings{Name: name, Content: "About " + strings.ToUpper(name)})
	}
	list := func(path string) (names []string, next string) {
		t.Helper()
		r := agent.Do(t, http.MethodGet, path, "")
		require.Equal(t, http.StatusOK, r.Status, "%s", r.Body)
		var macros []client.Macro
		require.NoError(t, json.Unmarshal(r.Body, &macros))
		for _, m := range macros {
			names = append(names, m.Name)
		}
		_, next, _ = strings.Cut(r.Header.Get("Link"), "<")
		next, _, _ = strings.Cut(next, ">")
		return names, next
	}
	all, _ := list("/macros")
	require.Equal(t, []string{"Money 100%", "Refund", "Größe"}, all)
	for text, want := range map[string][]string{"gr%C3%96": {"Größe"}, "ABOUT": all, "0%25": {"Money 100%"}, "_": nil, "none": nil} {
		found, _ := list("/macros?text=" + text)
		require.Equal(t, want, found, text)
	}
	first, next := list("/macros?text=about&limit=2")
	require.Equal(t, all[:2], first)
	second, next := list(next)
	require.Equal(t, all[2:], second)
	require.Empty(t, next)
}

func TestInvalidMacrosAreRefused(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	agent, customer := s.Staff(t, sqlc.UserRoleAgent), s.Customer(t)
	for pointer, m := range map[string]client.MacroSettings{
		"/content":     {Name: "a", Content: "Hello {{customer.email}}."},
		"/assignee_id": {Name: "b", Content: "x", AssigneeID: &customer.ID},
		"/team_id":     {Name: "c", Content: "x", TeamID: &customer.ID},
	} {
		refused, err := agent.CreateMacroWithResponse(t.Context(), nil, m)
		require.NoError(t, err)
		problem := apitest.RequireProblem(t, refused.StatusCode(), refused.Body, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed)
		require.Equal(t, pointer, problem.Errors[0].Pointer)
	}
	forbidden, err := customer.CreateMacroWithResponse(t.Context(), nil, client.MacroSettings{Name: "d", Content: "x"})
	require.NoError(t, err)
	require.Equal(t, http.StatusForbidden, forbidden.StatusCode())
}

func TestMacroRepliesAndChangesATicketTogether(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.mustName(t, "Ada {{agent.name}}")
	mustChangeUser(t, s.admin, s.agent.ID, `{"display_name":"Grace"}`)
	macro := newMacro(t, s.agent, client.MacroSettings{
		Name: "Refund", Content: "Hello {{customer.name}}: {{ticket.id}}, {{ticket.title}}. {{agent.name}}",
		Status: client.TicketStatusPending, Priority: client.TicketPriorityHigh, AddTags: client.Tags{"refund"}, AssigneeID: &s.agent.ID,
	})
	enqueue(t, s.Desk, groqsim.Script{Gates: []groqsim.Gate{{Name: "never", After: 0}}})
	answer := s.ada.Begin(t, s.ticketID)
	shown, err := s.agent.GetTicketWithResponse(t.Context(), s.ticketID, nil)
	require.NoError(t, err)
	before := shown.JSON200
	want := "Hello Ada {{agent.name}}: " + s.ticketID.String() + ", " + before.Title + ". Grace"

	tag := ticketTag(t, s.agent, s.ticketID)
	preview, err := s.agent.PreviewMacroWithResponse(t.Context(), s.ticketID, macro.ID, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, preview.StatusCode(), "%s", preview.Body)
	require.Equal(t, want, preview.JSON200.Content)
	require.Equal(t, tag, ticketTag(t, s.agent, s.ticketID), "a preview changes nothing")

	key := "the-key"
	apply := func() client.AppliedMacro {
		applied, err := s.agent.ApplyMacroWithResponse(t.Context(), s.ticketID, macro.ID, &plain.ApplyMacroParams{IfMatch: &tag, IdempotencyKey: &key})
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, applied.StatusCode(), "%s", applied.Body)
		return *applied.JSON200
	}
	applied := apply()
	require.Equal(t, applied, apply(), "a repeated request has no effect")
	require.Equal(t, want, applied.Message.Content)
	require.Equal(t, "Grace", applied.Message.Author.Name)
	require.Equal(t, client.TicketStatusPending, applied.Ticket.Status)
	require.Equal(t, client.TicketPriorityHigh, applied.Ticket.Priority)
	require.Equal(t, client.Tags{"refund"}, applied.Ticket.Tags)
	require.Equal(t, &s.agent.ID, applied.Ticket.AssigneeID)
	require.NotEmpty(t, applied.Ticket.FirstResponseAt)
	require.Equal(t, "superseded", string(s.ada.AIResponse(t, answer.ID).Status), "a human wins")
	require.Equal(t, "ai_response.superseded message.created ticket.assigned ticket.status_changed ticket.tagged ticket.updated",
		storetest.QueryText(t, s.DatabaseURL, `SELECT string_agg(type, ' ' ORDER BY type) FROM journal_outbox
		WHERE ticket_id = $1 AND actor_id = $2`, s.ticketID, s.agent.ID))
	require.Len(t, s.ada.Messages(t, s.ticketID), 1)

	stale, err := s.agent.ApplyMacroWithResponse(t.Context(), s.ticketID, macro.ID, &plain.ApplyMacroParams{IfMatch: &tag})
	require.NoError(t, err)
	apitest.RequireProblem(t, stale.StatusCode(), stale.Body, http.StatusPreconditionFailed, client.ProblemCodePreconditionFailed)
	require.Equal(t, client.TicketStatusPending, applyMacro(t, s.agent, s.ticketID, macro.ID).Ticket.Status, "the status is already pending")
	require.Equal(t, "Hello Ada {{agent.name}}: "+s.ticketID.String()+", "+before.Title+". the support team",
		applyMacro(t, s.admin, s.ticketID, macro.ID).Message.Content)
}

func TestMacroAddsANote(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	agent := d.Staff(t, sqlc.UserRoleAgent)
	macro := newMacro(t, agent, client.MacroSettings{Name: "Escalate", Content: "Look at {{ticket.id}}.", IsNote: true})
	applied := applyMacro(t, agent, d.ticket.ID, macro.ID)
	require.True(t, applied.Message.IsNote)
	require.Equal(t, "Look at "+d.ticket.ID.String()+".", applied.Message.Content)
	require.Empty(t, d.owner.Messages(t, d.ticket.ID))
}

func TestMacroThatCannotBeAppliedChangesNothing(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	agent, leaver := d.Staff(t, sqlc.UserRoleAgent), d.Staff(t, sqlc.UserRoleAgent)
	jump := newMacro(t, agent, client.MacroSettings{Name: "Close", Content: "Good bye.", Status: client.TicketStatusClosed})
	gone := newMacro(t, agent, client.MacroSettings{Name: "Give", Content: "Hello.", AssigneeID: &leaver.ID})
	long := newMacro(t, agent, client.MacroSettings{Name: "Long", Content: strings.Repeat("{{ticket.title}}", 500)})
	mustChangeUser(t, d.admin, leaver.ID, `{"disabled":true}`)
	storetest.Exec(t, d.DatabaseURL, "UPDATE tickets SET title = repeat('x', 200) WHERE id = $1", d.ticket.ID)
	refused := func(macroID, ticketID uuid.UUID, status int, code client.ProblemCode) {
		t.Helper()
		applied, err := agent.ApplyMacroWithResponse(t.Context(), ticketID, macroID, nil)
		require.NoError(t, err)
		apitest.RequireProblem(t, applied.StatusCode(), applied.Body, status, code)
	}
	refused(jump.ID, d.ticket.ID, http.StatusConflict, client.ProblemCodeInvalidTransition)
	refused(gone.ID, d.ticket.ID, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed)
	refused(long.ID, d.ticket.ID, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed)
	refused(uuid.New(), d.ticket.ID, http.StatusNotFound, client.ProblemCodeNotFound)
	refused(jump.ID, uuid.New(), http.StatusNotFound, client.ProblemCodeNotFound)
	unknown := "/tickets/" + d.ticket.ID.String() + "/macros/" + uuid.NewString() + "/apply"
	agent.Do(t, http.MethodPost, unknown, "", `If-Match: "999"`).RequireProblem(t, http.StatusNotFound, client.ProblemCodeNotFound)
	preview, err := agent.PreviewMacroWithResponse(t.Context(), d.ticket.ID, long.ID, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusUnprocessableEntity, preview.StatusCode())
	require.Empty(t, d.owner.Messages(t, d.ticket.ID))

	agent.SetStatus(t, d.ticket.ID, client.TicketStatusResolved)
	closed := applyMacro(t, agent, d.ticket.ID, jump.ID)
	require.Equal(t, client.TicketStatusClosed, closed.Ticket.Status, "the reply comes first")
	refused(jump.ID, d.ticket.ID, http.StatusConflict, client.ProblemCodeTicketClosed)
}
