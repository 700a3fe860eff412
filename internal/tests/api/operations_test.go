package api_test

import (
	"net/http"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/testing/example"
)

// usage says how to call an operation when the contract's first example is not enough.
type usage struct {
	// example is the name of the contract's example to send; empty for the first one.
	example string
	// body changes the example, for values that exist only in the database.
	body func(t *testing.T, c *cast, body map[string]any)
	// query has the required parameters.
	query string
	// ticketIn is the member that names the ticket in bodies of chat clients, whose paths have no ticket.
	ticketIn string
	// refusals are the statuses below 500 with which a valid request may still be refused, because of the things that
	// it names or their state.
	refusals []int
	// only restricts the callers further than the role. Others get 404.
	only audience
	// thing creates the thing that the path names, if things does not have the right one.
	thing func(*testing.T, *cast) string
}

// audience is who may call an operation. The zero value is everybody with the role.
type audience int

const (
	_ audience = iota
	// onlyOwner is the owner of the thing; staff do not see it.
	onlyOwner
	// onlyCustomer is the customer who owns the thing; staff cannot act for them.
	onlyCustomer
	// onlyService is the customer's service.
	onlyService
)

// operations has usages by operationId. Operations for which the first example works have no entry.
var operations = map[string]usage{
	"signUp":         {body: withNewEmail, refusals: []int{http.StatusForbidden, http.StatusConflict}},
	"logIn":          {body: withEmail, refusals: []int{http.StatusUnauthorized}},
	"refreshSession": {body: withRefreshToken, refusals: []int{http.StatusUnauthorized}},
	"endSession":     {only: onlyOwner},
	"changePassword": {body: withSamePassword, refusals: []int{http.StatusUnauthorized}},

	"getUser":      {thing: func(_ *testing.T, c *cast) string { return c.owner.ID.String() }}, // Customers see only their own account.
	"createUser":   {body: withNewEmail, refusals: []int{http.StatusConflict}},
	"updateUser":   {body: withCustomersRole},
	"putCustomer":  {only: onlyService},
	"createAPIKey": {example: "shop", refusals: []int{http.StatusUnprocessableEntity}}, // There is no such service.

	"createTeam": {refusals: []int{http.StatusUnprocessableEntity}}, // There is no such account.
	"updateTeam": {refusals: []int{http.StatusUnprocessableEntity, http.StatusPreconditionFailed}},

	"createMacro": {body: withNewName, refusals: []int{http.StatusConflict, http.StatusUnprocessableEntity}}, // There is no such account.
	"updateMacro": {
		body:     withNewName,
		refusals: []int{http.StatusConflict, http.StatusUnprocessableEntity, http.StatusPreconditionFailed},
	},
	"applyMacro": {refusals: []int{http.StatusConflict, http.StatusPreconditionFailed}},

	"createWebhook": {refusals: []int{http.StatusUnprocessableEntity}}, // The server may not send anything to the URL.
	"updateWebhook": {refusals: []int{http.StatusUnprocessableEntity}},

	"createTicket": {refusals: []int{http.StatusForbidden}}, // Customers may not set these members.
	"updateTicket": {
		example:  "pending",
		refusals: []int{http.StatusForbidden, http.StatusConflict, http.StatusPreconditionFailed}, // Some members are for staff.
	},
	"searchTickets":    {query: "?q=secret"},
	"mergeTicket":      {body: withDuplicate, refusals: []int{http.StatusUnprocessableEntity}}, // There is no such ticket.
	"handOffTicket":    {refusals: []int{http.StatusConflict}},
	"getReportSummary": {refusals: []int{http.StatusBadRequest}}, // There is no such day, or there are too many.
	"listEvents":       {refusals: []int{http.StatusGone}},       // There is no such position.
	"streamEvents":     {refusals: []int{http.StatusGone}},
	"putSLATargets":    {refusals: []int{http.StatusPreconditionFailed}},

	"createMessage":      {refusals: []int{http.StatusConflict, http.StatusPreconditionFailed}},
	"putMessageFeedback": {only: onlyCustomer},

	"createAIResponse":  {example: "plain", refusals: []int{http.StatusConflict}},
	"streamAIResponse":  {refusals: []int{http.StatusConflict}},
	"publishAIResponse": {thing: ownedDraft, refusals: []int{http.StatusConflict}},
	"discardAIResponse": {thing: ownedDraft, refusals: []int{http.StatusConflict}},
	"applyAIResponse":   {thing: ownedTriage, refusals: []int{http.StatusConflict}},

	"createPrompt":  {refusals: []int{http.StatusUnprocessableEntity}}, // The texts together may be too long.
	"updatePrompt":  {refusals: []int{http.StatusUnprocessableEntity, http.StatusPreconditionFailed}},
	"publishPrompt": {refusals: []int{http.StatusPreconditionFailed}},
	"previewPrompt": {refusals: []int{http.StatusNotFound}}, // There is no such ticket.

	"sendUIMessage":   {example: "question", ticketIn: "id", refusals: []int{http.StatusConflict}},
	"sendUIMessageV7": {example: "question", ticketIn: "id", refusals: []int{http.StatusConflict}},
	"runAGUI":         {ticketIn: "threadId", refusals: []int{http.StatusConflict}},
}

func withNewEmail(_ *testing.T, _ *cast, body map[string]any) {
	body["email"] = "new-" + uuid.NewString() + "@example.com"
}

func withNewName(_ *testing.T, _ *cast, body map[string]any) {
	body["name"] = "Macro " + uuid.NewString()
}

func withEmail(_ *testing.T, c *cast, body map[string]any) { body["email"] = c.owner.Email }

func withRefreshToken(t *testing.T, c *cast, body map[string]any) {
	t.Helper()
	body["refresh_token"] = c.Again(t, c.owner).Refresh
}

// withSamePassword lets the test log in again.
func withSamePassword(_ *testing.T, _ *cast, body map[string]any) {
	body["new_password"] = body["current_password"]
}

// withCustomersRole keeps the role of the customer.
func withCustomersRole(_ *testing.T, _ *cast, body map[string]any) {
	clear(body)
	body["role"] = "user"
}

func withDuplicate(_ *testing.T, c *cast, body map[string]any) { body["into"] = c.duplicate }

// goodBody returns a body with which the operation succeeds, or nil if it has no body.
func goodBody(t *testing.T, c *cast, o *openapi3.Operation) map[string]any {
	t.Helper()
	how := operations[o.OperationID]
	body := example.Body(o, how.example)
	if how.body != nil {
		how.body(t, c, body)
	}
	return body
}

// things create the owner's things that paths name, by path parameter.
var things = map[string]func(*testing.T, *cast) string{
	"ticket_id":      ownedTicket,
	"team_id":        ownedTeam,
	"macro_id":       ownedMacro,
	"ai_response_id": func(t *testing.T, c *cast) string { t.Helper(); return ownedAnswer(t, c).AIResponseID.String() },
	"message_id":     ownedRatedMessage,
	"user_id":        func(t *testing.T, c *cast) string { t.Helper(); return c.Staff(t, sqlc.UserRoleUser).ID.String() },
	"api_key_id": func(t *testing.T, c *cast) string {
		t.Helper()
		return c.apiKey(t, auth.RoleUser, auth.ScopeAI).row.ID.String()
	},
	"webhook_id":          ownedWebhook,
	"webhook_delivery_id": ownedDelivery,
	"prompt_id":           ownedPrompt,
	"session_id":          func(t *testing.T, c *cast) string { t.Helper(); return c.Again(t, c.owner).Session(t).String() },
}

// thing returns the function that creates the thing for a path parameter.
func thing(t *testing.T, parameter string) func(*testing.T, *cast) string {
	t.Helper()
	require.Contains(t, things, parameter, "add the new parameter to things")
	return things[parameter]
}
