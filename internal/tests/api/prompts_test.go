package api_test

import (
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

// newPrompt creates a draft.
func newPrompt(t *testing.T, admin *apitest.User, settings client.PromptSettings) client.Prompt {
	t.Helper()
	created, err := admin.CreatePromptWithResponse(t.Context(), nil, settings)
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, created.StatusCode(), "%s", created.Body)
	return *created.JSON201
}

// publishPrompt makes a prompt the live one.
func publishPrompt(t *testing.T, admin *apitest.User, id uuid.UUID) client.Prompt {
	t.Helper()
	published, err := admin.PublishPromptWithResponse(t.Context(), id, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, published.StatusCode(), "%s", published.Body)
	return *published.JSON200
}

// getPrompt reads a prompt and its ETag.
func getPrompt(t *testing.T, staff *apitest.User, id uuid.UUID) (prompt client.Prompt, tag string) {
	t.Helper()
	got, err := staff.GetPromptWithResponse(t.Context(), id, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, got.StatusCode(), "%s", got.Body)
	return *got.JSON200, got.HTTPResponse.Header.Get("ETag")
}

// promptEntries returns the journal entries about prompts, in order: the actor, the type, and the versions.
func promptEntries(t *testing.T, s *desk.Desk) string {
	t.Helper()
	return storetest.QueryText(t, s.DatabaseURL, `SELECT coalesce(string_agg(concat_ws(' ', actor_kind, actor_id, subject_id,
		coalesce(data->>'from', '-') || '>' || coalesce(data->>'to', '-')), E'\n' ORDER BY id), '')
		FROM journal_outbox WHERE type = 'prompt.published' AND ticket_id IS NULL AND customer_id IS NULL`)
}

func TestPromptFromDraftToRollBack(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	admin, agent := s.Staff(t, sqlc.UserRoleAdmin), s.Staff(t, sqlc.UserRoleAgent)
	settings := client.PromptSettings{
		Company: "Example Ltd", Product: "the Example web shop", Tone: client.PromptToneFormal, Language: "de",
		Rules: client.PromptRules{"Refunds are for staff."}, Instructions: "Orders ship\nfrom Rotterdam.",
	}
	first := newPrompt(t, admin, settings)
	require.Equal(t, client.PromptStatusDraft, first.Status)
	require.EqualValues(t, 1, first.Version)
	require.Empty(t, first.PublishedAt)
	require.Equal(t, client.PromptSettings{
		Company: first.Company, Product: first.Product, Tone: first.Tone, Language: first.Language, Rules: first.Rules,
		Instructions: first.Instructions,
	}, settings)
	second := newPrompt(t, admin, client.PromptSettings{Company: "Example Ltd"})
	require.EqualValues(t, 2, second.Version)
	require.Equal(t, client.PromptToneFriendly, second.Tone)
	require.Empty(t, promptEntries(t, s))

	require.Equal(t, client.PromptStatusLive, publishPrompt(t, admin, first.ID).Status)
	require.Equal(t, client.PromptStatusLive, publishPrompt(t, admin, second.ID).Status)
	retired, _ := getPrompt(t, agent, first.ID)
	require.Equal(t, client.PromptStatusRetired, retired.Status)
	require.NotEmpty(t, retired.PublishedAt)

	rolledBack := publishPrompt(t, admin, first.ID)
	require.Equal(t, retired.PublishedAt, rolledBack.PublishedAt)
	publishPrompt(t, admin, first.ID) // The prompt is already live.
	listed, err := agent.ListPromptsWithResponse(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, listed.StatusCode())
	rolledBack.Status = client.PromptStatusLive
	withdrawn, err := admin.WithdrawPromptWithResponse(t.Context(), second.ID, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, withdrawn.StatusCode())
	require.Equal(t, []client.Prompt{*withdrawn.JSON200, rolledBack}, *listed.JSON200, "newest first, and one is live")

	withdrawn, err = admin.WithdrawPromptWithResponse(t.Context(), first.ID, nil)
	require.NoError(t, err)
	require.Equal(t, client.PromptStatusRetired, withdrawn.JSON200.Status)
	require.Equal(t, strings.Join([]string{
		"agent " + admin.ID.String() + " " + first.ID.String() + " ->1",
		"agent " + admin.ID.String() + " " + second.ID.String() + " 1>2",
		"agent " + admin.ID.String() + " " + first.ID.String() + " 2>1",
		"agent " + admin.ID.String() + " " + first.ID.String() + " 1>-",
	}, "\n"), promptEntries(t, s))
}

func TestOnlyDraftsChange(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	admin := s.Staff(t, sqlc.UserRoleAdmin)
	draft := newPrompt(t, admin, client.PromptSettings{Company: "Example Ltd", Product: "shoes"})
	_, tag := getPrompt(t, admin, draft.ID)
	update := func(company string, params *plain.UpdatePromptParams) *plain.UpdatePromptResponse {
		t.Helper()
		r, err := admin.UpdatePromptWithResponse(t.Context(), draft.ID, params, client.PromptSettings{Company: company})
		require.NoError(t, err)
		return r
	}
	changed := update("Sample Ltd", &plain.UpdatePromptParams{IfMatch: &tag})
	require.Equal(t, http.StatusOK, changed.StatusCode(), "%s", changed.Body)
	require.Equal(t, "Sample Ltd", changed.JSON200.Company)
	require.Empty(t, changed.JSON200.Product, "what is left out is cleared")
	require.Greater(t, changed.JSON200.UpdatedAt, draft.UpdatedAt)

	stale := update("Other Ltd", &plain.UpdatePromptParams{IfMatch: &tag})
	apitest.RequireProblem(t, stale.StatusCode(), stale.Body, http.StatusPreconditionFailed, client.ProblemCodePreconditionFailed)
	unread, err := admin.PublishPromptWithResponse(t.Context(), draft.ID, &plain.PublishPromptParams{IfMatch: &tag})
	require.NoError(t, err)
	apitest.RequireProblem(t, unread.StatusCode(), unread.Body, http.StatusPreconditionFailed, client.ProblemCodePreconditionFailed)

	got, tag := getPrompt(t, admin, draft.ID)
	require.Equal(t, *changed.JSON200, got)
	require.Equal(t, changed.HTTPResponse.Header.Get("ETag"), tag)
	publishPrompt(t, admin, draft.ID)
	live, liveTag := getPrompt(t, admin, draft.ID)
	require.NotEqual(t, tag, liveTag, "it has another status")
	late := update("Late Ltd", nil)
	apitest.RequireProblem(t, late.StatusCode(), late.Body, http.StatusConflict, client.ProblemCodePromptPublished)
	after, _ := getPrompt(t, admin, draft.ID)
	require.Equal(t, live, after)
}

func TestTextsOfAPromptHaveACommonLimit(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	admin := s.Staff(t, sqlc.UserRoleAdmin)
	settings := client.PromptSettings{Company: "Example Ltd", Instructions: strings.Repeat("x", 4000)}
	for range 7 {
		settings.Rules = append(settings.Rules, strings.Repeat("x", 280))
	}
	newPrompt(t, admin, settings)
	settings.Rules = append(settings.Rules, strings.Repeat("x", 280))
	refused, err := admin.CreatePromptWithResponse(t.Context(), nil, settings)
	require.NoError(t, err)
	problem := apitest.RequireProblem(t, refused.StatusCode(), refused.Body,
		http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed)
	require.Equal(t, client.FieldErrorCodeTooLong, problem.Errors[0].Code)
	require.EqualValues(t, 6144, *problem.Errors[0].Limit)
}

func TestPreviewShowsTheRequestToTheAI(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	admin, agent, customer := s.Staff(t, sqlc.UserRoleAdmin), s.Staff(t, sqlc.UserRoleAgent), s.Customer(t)
	draft := newPrompt(t, admin, client.PromptSettings{Company: "Example Ltd"})
	ticket := customer.NewTicket(t)
	preview := func() []client.PromptMessage {
		t.Helper()
		got, err := agent.PreviewPromptWithResponse(t.Context(), draft.ID, &plain.PreviewPromptParams{TicketID: &ticket.ID})
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, got.StatusCode(), "%s", got.Body)
		require.Equal(t, draft.Version, got.JSON200.PromptVersion)
		return got.JSON200.Messages
	}
	messages := preview()
	require.Len(t, messages, 2)
	require.Equal(t, client.PromptMessageRoleSystem, messages[0].Role)
	require.Contains(t, messages[0].Content, `{"company":"Example Ltd"}`)
	require.Equal(t, client.PromptMessage{
		Role: client.PromptMessageRoleUser, Content: ticket.Title + "\n\n" + ticket.Description,
	}, messages[1])

	agent.Say(t, ticket.ID, "Which month?")
	for range 7 {
		customer.Say(t, ticket.ID, strings.Repeat("x", 8000))
	}
	messages = preview()
	require.Len(t, messages, 2, "the first ones no longer fit, and neighbours of one role are one")
	require.Less(t, len(messages[0].Content)+len(messages[1].Content), 49<<10)
	require.Greater(t, len(messages[1].Content), 39<<10)
	require.Empty(t, s.Simulator.Requests())
	require.Zero(t, countRows(t, s, "ai_responses"))

	alone, err := agent.PreviewPromptWithResponse(t.Context(), draft.ID, nil)
	require.NoError(t, err)
	require.Len(t, alone.JSON200.Messages, 1)
	unknown := uuid.Must(uuid.NewV7())
	none, err := agent.PreviewPromptWithResponse(t.Context(), draft.ID, &plain.PreviewPromptParams{TicketID: &unknown})
	require.NoError(t, err)
	apitest.RequireProblem(t, none.StatusCode(), none.Body, http.StatusNotFound, client.ProblemCodeNotFound)
	wrong := agent.Do(t, http.MethodGet, "/prompts/"+draft.ID.String()+"/preview?ticket_id="+canary, "")
	requireRefused(t, wrong, http.StatusBadRequest, client.ProblemCodeInvalidParameter, "/ticket_id too_short")
}

// Parallel requests give each draft its own version, and leave one prompt live.
func TestParallelChangesOfPrompts(t *testing.T) {
	t.Parallel()
	const many = 8
	s := desk.New(t, desk.Options{})
	admin := s.Staff(t, sqlc.UserRoleAdmin)
	var makers []func()
	for range many {
		makers = append(makers, func() {
			created, err := admin.CreatePromptWithResponse(t.Context(), nil, client.PromptSettings{Company: "x"})
			if err == nil && created.JSON201 != nil {
				_, _ = admin.PublishPromptWithResponse(t.Context(), created.JSON201.ID, nil)
			}
		})
	}
	race(makers...)
	require.Equal(t, many, countRows(t, s, "prompts WHERE published_at IS NOT NULL"))
	require.Equal(t, "1 8", storetest.QueryText(t, s.DatabaseURL, "SELECT concat_ws(' ', min(version), max(version)) FROM prompts"))
	// Each publication has replaced the previous one.
	require.Equal(t, many-1, storetest.QueryInt(t, s.DatabaseURL, `SELECT count(*) FROM (SELECT data->'from' AS old,
		lag(data->'to') OVER (ORDER BY id) AS before FROM journal_outbox WHERE type = 'prompt.published') AS e WHERE old = before`))
}

// systemPrompts returns the system prompts of the upstream requests, in order.
func systemPrompts(s *desk.Desk) (texts []string) {
	for _, record := range s.Simulator.Requests() {
		texts = append(texts, string(record.Chat.Messages[0].Content))
	}
	return texts
}

// abandon makes running answers look as if their owner had been killed long ago.
func abandon(t *testing.T, s *desk.Desk) {
	t.Helper()
	storetest.Exec(t, s.DatabaseURL, `UPDATE ai_responses
		SET owner_id = gen_random_uuid(), lease_expires_at = now() - interval '1 second' WHERE status = 'streaming'`)
}

// An answer is written by the prompt that was live when it began, whichever replica writes it in the end.
func TestAnswerIsWrittenByThePromptThatWasLive(t *testing.T) {
	t.Parallel()
	one, other := twoReplicas(t, desk.Options{})
	admin, customer := one.Staff(t, sqlc.UserRoleAdmin), one.Customer(t)
	elsewhere := customer.With(t, other.Client, customer.Token)
	answered := func(user *apitest.User) {
		t.Helper()
		require.NotNil(t, user.Stream(t, customer.NewTicket(t).ID).ReadAll().Done)
	}
	answered(elsewhere)
	first := newPrompt(t, admin, client.PromptSettings{Company: "First Ltd"})
	answered(elsewhere)
	publishPrompt(t, admin, first.ID)
	ticket := customer.NewTicket(t)
	enqueue(t, other, groqsim.Script{Gates: []groqsim.Gate{{Name: "killed", After: 2}}})
	stream := elsewhere.Stream(t, ticket.ID)
	requireHeld(t, other, "killed")
	publishPrompt(t, admin, newPrompt(t, admin, client.PromptSettings{Company: "Second Ltd"}).ID)
	abandon(t, one)
	require.NotNil(t, stream.ReadAll().Done)
	answered(elsewhere)

	var companies []string
	for _, text := range systemPrompts(one) {
		_, settings, _ := strings.Cut(text, `{"company":"`)
		company, _, _ := strings.Cut(settings, `"`)
		companies = append(companies, company)
		require.NotContains(t, text, ticket.Title)
	}
	require.Equal(t, []string{"", "", "First Ltd", "First Ltd", "Second Ltd"}, companies)
	listed, err := admin.ListAIResponsesWithResponse(t.Context(), ticket.ID, nil)
	require.NoError(t, err)
	require.Equal(t, first.Version, *(*listed.JSON200)[0].PromptVersion)
	seen, err := customer.GetAIResponseWithResponse(t.Context(), (*listed.JSON200)[0].ID, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, seen.StatusCode())
	require.Nil(t, seen.JSON200.PromptVersion)
	require.Equal(t, "- - 1 2", storetest.QueryText(t, one.DatabaseURL,
		"SELECT string_agg(coalesce(prompt_version::text, '-'), ' ' ORDER BY created_at) FROM ai_responses"))
}
