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

// canary stands in values that are refused. No response may repeat it.
const canary = "canary-5f1d"

const (
	jsonType = "Content-Type: application/json"
	formType = "Content-Type: application/x-www-form-urlencoded"
)

// call is an operation of the contract, ready to be sent by who may.
type call struct {
	specOperation
	// path is where it is sent, and thing the id in that, if there is one.
	path, thing string
	// media are the types of body that it takes, sorted.
	media []string
	// body is one that it takes, as JSON. Sent twice, it may be answered with 409.
	body string
	by   *apitest.User
}

// calls are all operations, on the cast's own things.
func (c *cast) calls(t *testing.T) []call {
	t.Helper()
	var all []call
	for _, o := range specOperations(t) {
		all = append(all, c.prepare(t, o))
	}
	return all
}

// writes are the operations that take a body of the contract's own form, with just the members that it names.
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

// call is one operation.
func (c *cast) call(t *testing.T, id string) call {
	t.Helper()
	all := specOperations(t)
	i := slices.IndexFunc(all, func(o specOperation) bool { return o.OperationID == id })
	require.GreaterOrEqual(t, i, 0, id)
	return c.prepare(t, all[i])
}

// prepare makes what an operation needs, unless it is there.
func (c *cast) prepare(t *testing.T, o specOperation) call {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
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

// idOf is the id of the cast's own thing that a parameter of a path names.
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

// callerOf is who may call an operation: the owner, or an administrator.
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

// do sends a call with just these headers, and the token of who may where one is needed.
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

// clientText is a text that a chat client sends.
func clientText(id, text string) map[string]any {
	return map[string]any{"id": id, "role": "user", "parts": []any{map[string]any{"type": "text", "text": text}}}
}

func encode(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}

// requireRefused wants a problem that names exactly these fields, each as "pointer code", and repeats nothing.
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

// requireTaken wants that nothing was wrong with the request's form: a second time it may be a conflict, and a refresh token
// need not be one.
func requireTaken(t *testing.T, c call, r apitest.Response) {
	t.Helper()
	taken := []int{http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent, http.StatusConflict}
	if c.OperationID == "refreshSession" {
		taken = append(taken, http.StatusUnauthorized)
	}
	require.Contains(t, taken, r.Status, "%s", r.Body)
}
