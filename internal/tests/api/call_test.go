package api_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/testing/apitest"
)

// canary is in values that are refused. No response may repeat it.
const canary = "canary-5f1d"

const (
	jsonType = "Content-Type: application/json"
	formType = "Content-Type: application/x-www-form-urlencoded"
)

// call is an operation of the contract, ready to be sent by somebody who may.
type call struct {
	specOperation
	// path is the path of the request; thing is the id in it, if any.
	path, thing string
	// media are the accepted media types of the body, sorted.
	media []string
	// body is a valid body, as JSON. A second request with it may get 409.
	body string
	by   *apitest.User
}

// calls returns all operations, with the ids of the cast's own things.
func (c *cast) calls(t *testing.T) []call {
	t.Helper()
	var all []call
	for _, o := range specOperations(t) {
		all = append(all, c.prepare(t, o))
	}
	return all
}

// writes returns the operations with JSON bodies that allow only declared members.
func (c *cast) writes(t *testing.T) []call {
	t.Helper()
	var all []call
	for _, o := range specOperations(t) {
		if o.RequestBody != nil && o.how.ticketIn == "" {
			all = append(all, c.prepare(t, o))
		}
	}
	return all
}

// call returns one operation.
func (c *cast) call(t *testing.T, id string) call {
	t.Helper()
	all := specOperations(t)
	i := slices.IndexFunc(all, func(o specOperation) bool { return o.OperationID == id })
	require.GreaterOrEqual(t, i, 0, id)
	return c.prepare(t, all[i])
}

// prepare creates what an operation needs, unless it exists.
func (c *cast) prepare(t *testing.T, o specOperation) call {
	t.Helper()
	if done, ok := c.prepared[o.OperationID]; ok {
		return done
	}
	p := call{specOperation: o, by: c.callerOf(t, o)}
	ids := make([]string, len(o.pathParameters))
	for i, name := range o.pathParameters {
		ids[i] = c.idOf(t, name)
	}
	if o.how.only == onlyService {
		ids = []string{c.Service(t, p.by.Token, customerName).Me(t).ID.String()}
	}
	if o.OperationID == "mergeTicket" {
		c.duplicate = ownedTicket(t, c)
	}
	p.path, p.body = o.request(t, c, ids)
	p.path, _, _ = strings.Cut(p.path, "?")
	if len(ids) > 0 && strings.Contains(o.template, "{") {
		p.thing = ids[0]
	}
	if o.RequestBody != nil {
		p.media = slices.Sorted(maps.Keys(o.RequestBody.Value.Content))
	}
	c.prepared[o.OperationID] = p
	return p
}

// idOf returns the id of the cast's own thing for a path parameter.
func (c *cast) idOf(t *testing.T, parameter string) string {
	t.Helper()
	if parameter == "ticket_id" {
		return c.ticket.ID.String()
	}
	if c.ids[parameter] == "" {
		c.ids[parameter] = thing(t, parameter)(t, c)
	}
	return c.ids[parameter]
}

// callerOf returns somebody who may call the operation: the owner or an administrator.
func (c *cast) callerOf(t *testing.T, o specOperation) *apitest.User {
	t.Helper()
	switch {
	case o.OperationID == "logOut":
		return c.Again(t, c.owner)
	case o.how.only == onlyService:
		return c.Service(t, c.apiKey(t, auth.RoleUser, allScopes...).key, "")
	case !may(c.owner, o):
		return c.admin
	default:
		return c.owner
	}
}

// do sends a call with these headers only, plus the caller's token where one is needed.
func (c *cast) do(t *testing.T, o call, body string, header ...string) apitest.Response {
	t.Helper()
	if !strings.Contains(o.path, "?") {
		o.path += o.how.query
	}
	if o.role == "" {
		return c.Do(t, o.method, o.path, body, header...)
	}
	return o.by.Do(t, o.method, o.path, body, header...)
}

// clientText returns a chat client's message with a text.
func clientText(id, text string) map[string]any {
	return map[string]any{"id": id, "role": "user", "parts": []any{map[string]any{"type": "text", "text": text}}}
}

func encode(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}

// requireRefused checks that the response is a problem with exactly these fields, each as "pointer code", and repeats
// no input.
func requireRefused(
	t *testing.T, r apitest.Response, status int, code client.ProblemCode, fields ...string,
) plain.Problem {
	t.Helper()
	problem := r.RequireProblem(t, status, code)
	var got []string
	for _, field := range problem.Errors {
		got = append(got, field.Pointer+" "+string(field.Code))
	}
	require.ElementsMatch(t, fields, got)
	require.NotContains(t, string(r.Body), canary)
	require.NotContains(t, encode(t, r.Header), canary)
	return problem
}

// requireTaken checks that the request's form was accepted. A repeated request may still get a conflict, and a made-up
// refresh token may be refused.
func requireTaken(t *testing.T, c call, r apitest.Response) {
	t.Helper()
	taken := []int{http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent, http.StatusConflict}
	if c.OperationID == "refreshSession" {
		taken = append(taken, http.StatusUnauthorized)
	}
	require.Contains(t, taken, r.Status, "%s", r.Body)
}
