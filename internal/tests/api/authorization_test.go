package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/account"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/testing/apitest"
)

// operationBodies are what each operation is sent so that it succeeds for whoever may call it. A new operation needs its entry
// here, and is then checked against its security requirement like the others.
var operationBodies = map[string]func(*cast) string{
	"signUp": func(*cast) string {
		return `{"email":"new-` + uuid.NewString() + `@example.com","password":"` + apitest.Password + `"}`
	},
	"logIn": func(c *cast) string {
		return `{"email":"` + c.owner.Email + `","password":"` + apitest.Password + `"}`
	},
	"refreshSession": func(c *cast) string {
		tokens, err := c.Accounts.LogIn(context.Background(), account.Client{}, c.owner.Email, apitest.Password)
		if err != nil {
			panic(err)
		}
		return `{"refresh_token":"` + tokens.Refresh + `"}`
	},
	"logOut":       noBody,
	"listSessions": noBody,
	"endSession":   noBody,
	"changePassword": func(*cast) string {
		return `{"current_password":"` + apitest.Password + `","new_password":"another horse battery"}`
	},
	"listUsers": noBody,
	"createUser": func(*cast) string {
		return `{"email":"new-` + uuid.NewString() + `@example.com","password":"` + apitest.Password + `","role":"agent"}`
	},
	"getUser":        noBody,
	"updateUser":     func(*cast) string { return `{"role":"agent"}` },
	"deleteUserData": noBody,
	"putCustomer":    func(*cast) string { return `{"display_name":"Ada"}` },
	"createAPIKey":   func(*cast) string { return `{"name":"A service","scopes":["tickets:read"]}` },
	"listAPIKeys":    noBody,
	"revokeAPIKey":   noBody,

	"createWebhook":         func(*cast) string { return `{"url":"https://shop.example/hooks"}` },
	"listWebhooks":          noBody,
	"getWebhook":            noBody,
	"updateWebhook":         func(*cast) string { return `{"payload":"full"}` },
	"deleteWebhook":         noBody,
	"rotateWebhookSecret":   noBody,
	"testWebhook":           noBody,
	"replayWebhook":         func(*cast) string { return `{"from_position":1}` },
	"listWebhookDeliveries": noBody,
	"getWebhookDelivery":    noBody,
	"redeliverWebhook":      noBody,

	"getMe":            noBody,
	"listTickets":      noBody,
	"createTicket":     func(*cast) string { return `{"title":"A title","description":"A description."}` },
	"getTicket":        noBody,
	"updateTicket":     func(*cast) string { return `{"status":"pending"}` },
	"searchTickets":    noBody,
	"getReportSummary": noBody,
	"getSLATargets":    noBody,
	"putSLATargets":    func(*cast) string { return `{"urgent":{"first_response_minutes":30}}` },
	"listMessages":     noBody,
	"createMessage":    func(*cast) string { return `{"content":"Hello."}` },
	"createNote":       func(*cast) string { return `{"content":"A note."}` },
	"streamAIResponse": noBody,
	"redactMessage":    noBody,

	"createAIResponse":     func(*cast) string { return `{}` },
	"listAIResponses":      noBody,
	"createStreamToken":    noBody,
	"getAIResponse":        noBody,
	"streamAIResponseByID": noBody,
	"listAIResponseEvents": noBody,
	"cancelAIResponse":     noBody,
	"publishAIResponse":    func(*cast) string { return `{}` },
	"discardAIResponse":    noBody,
	"handOffTicket":        func(*cast) string { return `{"reason":"wants_human"}` },
	"getMessageFeedback":   noBody,
	"putMessageFeedback":   func(*cast) string { return `{"rating":"down"}` },

	"createAIRequest": func(*cast) string { return `{"kind":"summarize"}` },
	"applyAIResponse": noBody,

	"listPrompts":    noBody,
	"createPrompt":   promptBody,
	"getPrompt":      noBody,
	"updatePrompt":   promptBody,
	"publishPrompt":  noBody,
	"withdrawPrompt": noBody,
	"previewPrompt":  noBody,

	"listEvents":   noBody,
	"streamEvents": noBody,
	"getTimeline":  noBody,

	"sendUIMessage":    chatBody,
	"sendUIMessageV7":  chatBody,
	"resumeUIStream":   noBody,
	"resumeUIStreamV7": noBody,
	"listUIMessages":   noBody,
	"stopUIStream":     noBody,
	"runAGUI": func(*cast) string {
		return `{"threadId":"{ticket_id}","runId":"r","messages":[{"id":"` + uuid.NewString() + `","role":"user","content":"Hello."}]}`
	},

	"listStaffTickets":  noBody,
	"countStaffTickets": noBody,
	"updateTickets":     func(*cast) string { return `{"ticket_ids":["` + uuid.NewString() + `"],"priority":"low"}` },
	"mergeTicket": func(c *cast) string {
		return `{"into":"` + c.duplicate + `"}`
	},

	"listTeams":  noBody,
	"createTeam": func(*cast) string { return `{"name":"Secret team"}` },
	"getTeam":    noBody,
	"updateTeam": func(*cast) string { return `{"name":"Another name"}` },
	"deleteTeam": noBody,

	"getLiveness":  noBody,
	"getReadiness": noBody,
}

func chatBody(*cast) string {
	return `{"id":"{ticket_id}","messages":[{"id":"` + uuid.NewString() + `","role":"user","parts":[{"type":"text","text":"Hello."}]}]}`
}

func promptBody(*cast) string { return `{"company":"Secret Ltd"}` }

// operationQueries are the parameters without which an operation does not succeed.
var operationQueries = map[string]string{"searchTickets": "?q=secret"}

// ticketsInBodies are the members that name a ticket in the bodies of chat clients, which have no place for it in the path.
var ticketsInBodies = map[string]string{"sendUIMessage": "id", "sendUIMessageV7": "id", "runAGUI": "threadId"}

// customersOnly are the operations that are for the customer whose thing it is. Staff, who see it, get 404.
var customersOnly = []string{"putMessageFeedback"}

// servicesOnly are the operations that are for the service whose customer it is. For everybody else it is not there.
var servicesOnly = []string{"putCustomer"}

func noBody(*cast) string { return "" }

// ownersOnly are the operations on what is its owner's alone: for staff it is not there either.
var ownersOnly = []string{"endSession"}

// ownedThings are how what a path names comes into being, by the path's parameter. It is the owner's.
var ownedThings = map[string]func(*testing.T, *cast) string{
	"ticket_id": ownedTicket,
	"team_id": func(t *testing.T, c *cast) string {
		t.Helper()
		created := c.Do(t, http.MethodPost, "/teams", `{"name":"Secret team"}`, jsonType, c.admin.bearer())
		require.Equal(t, http.StatusCreated, created.Status, "%s", created.Body)
		return strings.TrimPrefix(created.Header.Get("Location"), "/teams/")
	},
	"ai_response_id": func(t *testing.T, c *cast) string {
		t.Helper()
		return ownedAnswer(t, c).AIResponseID.String()
	},
	"message_id": func(t *testing.T, c *cast) string {
		t.Helper()
		id := ownedAnswer(t, c).Message.ID.String()
		rated := c.Do(t, http.MethodPut, "/messages/"+id+"/feedback", `{"rating":"up","comment":"Secret comment."}`,
			"Content-Type: application/json", c.owner.bearer())
		require.Equal(t, http.StatusOK, rated.Status, "%s", rated.Body)
		return id
	},
	"user_id": func(t *testing.T, c *cast) string {
		t.Helper()
		return c.member(t, sqlc.UserRoleUser).ID.String()
	},
	"api_key_id": func(t *testing.T, c *cast) string {
		t.Helper()
		return c.apiKey(t, auth.RoleUser, auth.ScopeAI).row.ID.String()
	},
	"webhook_id": ownedWebhook,
	"webhook_delivery_id": func(t *testing.T, c *cast) string {
		t.Helper()
		tested := c.Do(t, http.MethodPost, "/webhooks/"+ownedWebhook(t, c)+"/test", "", c.admin.bearer())
		require.Equal(t, http.StatusAccepted, tested.Status, "%s", tested.Body)
		return idOf(t, tested.Body)
	},
	"prompt_id": func(t *testing.T, c *cast) string {
		t.Helper()
		created := c.Do(t, http.MethodPost, "/prompts", promptBody(c), jsonType, c.admin.bearer())
		require.Equal(t, http.StatusCreated, created.Status, "%s", created.Body)
		return strings.TrimPrefix(created.Header.Get("Location"), "/prompts/")
	},
	"session_id": func(t *testing.T, c *cast) string {
		t.Helper()
		return c.newSession(t, c.owner.User).String()
	},
}

func ownedWebhook(t *testing.T, c *cast) string {
	t.Helper()
	created := c.Do(t, http.MethodPost, "/webhooks", `{"url":"https://shop.example/hooks","description":"Secret description."}`,
		"Content-Type: application/json", c.admin.bearer())
	require.Equal(t, http.StatusCreated, created.Status, "%s", created.Body)
	return idOf(t, created.Body)
}

// idOf is the id of what a response shows.
func idOf(t *testing.T, body []byte) string {
	t.Helper()
	var shown struct{ ID string }
	require.NoError(t, json.Unmarshal(body, &shown))
	return shown.ID
}

func ownedTicket(t *testing.T, c *cast) string {
	t.Helper()
	created := c.Do(t, http.MethodPost, "/tickets", `{"title":"Secret title","description":"Secret description."}`,
		"Content-Type: application/json", c.owner.bearer())
	require.Equal(t, http.StatusCreated, created.Status, "%s", created.Body)
	id := strings.TrimPrefix(created.Header.Get("Location"), "/tickets/")
	said := c.Do(t, http.MethodPost, "/tickets/"+id+"/messages", `{"content":"Secret message."}`,
		"Content-Type: application/json", c.owner.bearer())
	require.Equal(t, http.StatusCreated, said.Status, "%s", said.Body)
	require.NoError(t, c.Search.Index(t.Context()))
	return id
}

// ownedTriage is a triage of a ticket of the owner's.
func ownedTriage(t *testing.T, c *cast) string {
	t.Helper()
	asked := c.Do(t, http.MethodPost, "/tickets/"+ownedTicket(t, c)+"/ai-requests", `{"kind":"triage"}`, jsonType, c.agent.bearer())
	require.Equal(t, http.StatusCreated, asked.Status, "%s", asked.Body)
	id := strings.TrimPrefix(asked.Header.Get("Location"), "/ai-responses/")
	require.Equal(t, http.StatusOK, c.Do(t, http.MethodGet, "/ai-responses/"+id+"/stream", "", c.agent.bearer()).Status)
	return id
}

// ownedAnswer is the AI's answer to a ticket of the owner's.
func ownedAnswer(t *testing.T, c *cast) plain.DoneEvent {
	t.Helper()
	ticketID := ownedTicket(t, c)
	stream := c.Do(t, http.MethodGet, "/tickets/"+ticketID+"/ai-response", "", c.owner.bearer())
	require.Equal(t, http.StatusOK, stream.Status, "%s", stream.Body)
	_, data, found := strings.Cut(string(stream.Body), "event: done\ndata: ")
	require.True(t, found, "%s", stream.Body)
	var done plain.DoneEvent
	require.NoError(t, json.Unmarshal([]byte(data), &done))
	return done
}

// onDrafts are the operations on AI responses that are drafts.
var onDrafts = []string{"publishAIResponse", "discardAIResponse"}

// ownedDraft is a draft that waits for review, in a ticket of the owner's.
func ownedDraft(t *testing.T, c *cast) string {
	t.Helper()
	ticketID := ownedTicket(t, c)
	mode := c.Do(t, http.MethodPatch, "/tickets/"+ticketID, `{"ai_mode":"draft"}`, jsonType, c.agent.bearer())
	require.Equal(t, http.StatusOK, mode.Status, "%s", mode.Body)
	stream := c.Do(t, http.MethodGet, "/tickets/"+ticketID+"/ai-response", "", c.agent.bearer())
	require.Equal(t, http.StatusOK, stream.Status, "%s", stream.Body)
	return readyIn(t, stream.Body).AIResponseID.String()
}

// readyIn is how the stream of a draft ends.
func readyIn(t *testing.T, stream []byte) plain.ReadyEvent {
	t.Helper()
	_, data, found := strings.Cut(string(stream), "event: ready\ndata: ")
	require.True(t, found, "%s", stream)
	var ready plain.ReadyEvent
	require.NoError(t, json.Unmarshal([]byte(data), &ready))
	return ready
}

// specOperation is one operation of the contract.
type specOperation struct {
	*openapi3.Operation
	method, path string
	// pathParameters are the names in the path, and of a ticket that the body names.
	pathParameters []string
	// role is the least role that may call it, empty for everybody, and scopes what it asks of API keys.
	role   sqlc.UserRole
	scopes []auth.Scope
}

// actsForCustomers reports whether a service may call it for its customers.
func (o specOperation) actsForCustomers() bool {
	return slices.ContainsFunc(*o.Security, func(alternative openapi3.SecurityRequirement) bool {
		_, acts := alternative["onBehalfOf"]
		return acts
	})
}

func specOperations(t *testing.T) []specOperation {
	t.Helper()
	var all []specOperation
	for path, item := range apitest.Spec(t).Paths.Map() {
		for method, op := range item.Operations() {
			o := specOperation{Operation: op, method: method, path: path}
			for part := range strings.SplitSeq(path, "/") {
				if strings.HasPrefix(part, "{") {
					o.pathParameters = append(o.pathParameters, strings.Trim(part, "{}"))
				}
			}
			if ticketsInBodies[op.OperationID] != "" {
				o.pathParameters = append(o.pathParameters, "ticket_id")
			}
			scope, _ := op.Extensions["x-scope"].(string)
			for name := range strings.FieldsSeq(scope) {
				o.scopes = append(o.scopes, auth.Scope(name))
			}
			require.NotNil(t, op.Security, "%s has no security decision", op.OperationID)
			for _, alternative := range *op.Security {
				for _, roles := range alternative {
					o.role = sqlc.UserRole(roles[0])
				}
			}
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b specOperation) int { return strings.Compare(a.OperationID, b.OperationID) })
	return all
}

// successes are the statuses of the operation when it does what it is for.
func (o specOperation) successes(t *testing.T) []int {
	t.Helper()
	var statuses []int
	for text := range o.Responses.Map() {
		if status, err := strconv.Atoi(text); err == nil && status < 300 {
			statuses = append(statuses, status)
		}
	}
	require.NotEmpty(t, statuses, o.OperationID)
	return statuses
}

// streams reports whether it succeeds with a stream, which has no HEAD.
func (o specOperation) streams(t *testing.T) bool {
	t.Helper()
	return o.Responses.Status(slices.Min(o.successes(t))).Value.Content["text/event-stream"] != nil
}

// request returns where the operation is called with the ids, and its body.
func (o specOperation) request(c *cast, ids []string) (path, body string) {
	path, body = o.path+operationQueries[o.OperationID], operationBodies[o.OperationID](c)
	for i, name := range o.pathParameters {
		path = strings.ReplaceAll(path, "{"+name+"}", ids[i])
		body = strings.ReplaceAll(body, "{"+name+"}", ids[i])
	}
	return path, body
}

// call sends the operation with the ids in its path.
func (o specOperation) call(t *testing.T, c *cast, ids []string, header ...string) apitest.Response {
	t.Helper()
	path, body := o.request(c, ids)
	if body != "" {
		header = append(header, "Content-Type: application/json")
	}
	return c.Do(t, o.method, path, body, append(header, fixedRequestID)...)
}

func (o specOperation) ownedIDs(t *testing.T, c *cast) []string {
	t.Helper()
	if o.OperationID == "mergeTicket" {
		c.duplicate = ownedThings["ticket_id"](t, c)
	}
	ids := make([]string, len(o.pathParameters))
	for i, name := range o.pathParameters {
		if o.OperationID == "applyAIResponse" {
			ids[i] = ownedTriage(t, c)
			continue
		}
		if o.OperationID == "getUser" {
			ids[i] = c.owner.ID.String() // Their own account is all that customers see.
			continue
		}
		require.Contains(t, ownedThings, name, "nobody has said how a %s comes into being", name)
		if slices.Contains(onDrafts, o.OperationID) {
			ids[i] = ownedDraft(t, c)
			continue
		}
		ids[i] = ownedThings[name](t, c)
	}
	return ids
}

func (o specOperation) unknownIDs() []string {
	ids := make([]string, len(o.pathParameters))
	for i := range ids {
		ids[i] = uuid.Must(uuid.NewV7()).String()
	}
	return ids
}

func TestEveryOperationAnswersOnlyThoseWhoMayCallIt(t *testing.T) {
	t.Parallel()
	for _, o := range specOperations(t) {
		t.Run(o.OperationID, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, operationBodies, o.OperationID, "nobody has said how to call the new operation")
			c := newCast(t)
			requireStrangersKeptOut(t, c, o)
			requireOthersKeptOut(t, c, o)
			for _, caller := range []member{c.owner, c.agent, c.admin} {
				if !may(caller, o) {
					requireForbidden(t, c, o, caller)
					continue
				}
				if caller.ID != c.owner.ID && slices.Contains(ownersOnly, o.OperationID) {
					o.call(t, c, o.ownedIDs(t, c), caller.bearer()).
						RequireProblem(t, http.StatusNotFound, client.ProblemCodeNotFound)
					continue
				}
				got := o.call(t, c, o.ownedIDs(t, c), caller.bearer())
				if slices.Contains(servicesOnly, o.OperationID) ||
					caller.Role != sqlc.UserRoleUser && slices.Contains(customersOnly, o.OperationID) {
					got.RequireProblem(t, http.StatusNotFound, client.ProblemCodeNotFound)
					continue
				}
				require.Contains(t, o.successes(t), got.Status, "%s: %s", caller.Role, got.Body)
			}
		})
	}
	require.Len(t, operationBodies, len(specOperations(t)), "an entry is of no operation")
}

func may(m member, o specOperation) bool {
	return o.role == "" || auth.Actor{Role: m.Role}.Has(o.role)
}

// requireStrangersKeptOut wants a caller without a token, or with one that is not ours, to be let in to public operations
// only, and to change nothing elsewhere.
func requireStrangersKeptOut(t *testing.T, c *cast, o specOperation) {
	t.Helper()
	ids := o.ownedIDs(t, c)
	forged := genuineToken(c.admin, time.Now())
	forged.key = "not the secret"
	withForged := "Authorization: Bearer " + forged.token(t)
	if o.role == "" {
		for _, header := range [][]string{nil, {withForged}, {"Authorization: Basic eDp5"}} {
			got := o.call(t, c, ids, header...)
			require.Contains(t, o.successes(t), got.Status, "%v: %s", header, got.Body)
		}
		return
	}
	before := c.snapshot(t)
	got := o.call(t, c, ids)
	got.RequireProblem(t, http.StatusUnauthorized, client.ProblemCodeUnauthenticated)
	require.Equal(t, []string{`Bearer realm="support"`}, got.Header.Values("WWW-Authenticate"))
	requireSame(t, got, o.call(t, c, o.unknownIDs()), "an id that there is and one that there is not")

	got = o.call(t, c, ids, withForged)
	got.RequireProblem(t, http.StatusUnauthorized, client.ProblemCodeInvalidToken)
	require.Equal(t, []string{`Bearer realm="support", error="invalid_token"`}, got.Header.Values("WWW-Authenticate"))

	if o.method == http.MethodGet && !o.streams(t) {
		o.method = http.MethodHead
		require.Equal(t, http.StatusUnauthorized, o.call(t, c, ids).Status)
	}
	require.Equal(t, before, c.snapshot(t))
}

// requireOthersKeptOut wants another customer to see nothing of the owner's: what is named is not there, and what is not
// named is the customer's own.
func requireOthersKeptOut(t *testing.T, c *cast, o specOperation) {
	t.Helper()
	if !may(c.other, o) {
		requireForbidden(t, c, o, c.other)
		return
	}
	if len(o.pathParameters) == 0 {
		ticketID := ownedThings["ticket_id"](t, c)
		got := o.call(t, c, nil, c.other.bearer())
		require.Contains(t, o.successes(t), got.Status, "%s", got.Body)
		for _, secret := range []string{ticketID, "Secret", c.owner.ID.String(), c.owner.Email} {
			require.NotContains(t, string(got.Body), secret)
		}
		return
	}
	ids := o.ownedIDs(t, c)
	before, asked := c.snapshot(t), len(c.Simulator.Requests())
	foreign := o.call(t, c, ids, c.other.bearer())
	foreign.RequireProblem(t, http.StatusNotFound, client.ProblemCodeNotFound)
	requireSame(t, o.call(t, c, o.unknownIDs(), c.other.bearer()), foreign, "an id of nothing and one of somebody else's")
	require.Equal(t, before, c.snapshot(t))
	require.Len(t, c.Simulator.Requests(), asked, "nothing was asked of the AI")
}

func requireForbidden(t *testing.T, c *cast, o specOperation, caller member) {
	t.Helper()
	ids := o.ownedIDs(t, c)
	before := c.snapshot(t)
	got := o.call(t, c, ids, caller.bearer())
	got.RequireProblem(t, http.StatusForbidden, client.ProblemCodeForbidden)
	require.Equal(t, []string{`Bearer realm="support", error="insufficient_scope"`}, got.Header.Values("WWW-Authenticate"))
	require.Equal(t, before, c.snapshot(t))
}

func TestStaffSeeEverybodysTicketsAndCustomersTheirOwn(t *testing.T) {
	t.Parallel()
	c := newCast(t)
	ticketID := ownedThings["ticket_id"](t, c)
	for _, caller := range []member{c.owner, c.other, c.agent, c.admin} {
		got := c.Do(t, http.MethodGet, "/tickets", "", caller.bearer())
		require.Equal(t, http.StatusOK, got.Status)
		sees := strings.Contains(string(got.Body), ticketID)
		require.Equal(t, caller.ID != c.other.ID, sees, "%s: %s", caller.Role, got.Body)
	}
}

// A role is taken from the account as it is now, never from what a token says of it.
func TestRoleIsTheAccountsAndNotTheTokens(t *testing.T) {
	t.Parallel()
	c := newCast(t)
	path := "/tickets/" + ownedThings["ticket_id"](t, c)
	token := genuineToken(c.other, time.Now()).saying("role", "admin").saying("scope", "admin").token(t)
	c.Do(t, http.MethodGet, path, "", "Authorization: Bearer "+token).
		RequireProblem(t, http.StatusNotFound, client.ProblemCodeNotFound)
}
