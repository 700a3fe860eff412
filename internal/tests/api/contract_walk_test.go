package api_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// maxWalk is the most requests that a walk may send.
const maxWalk = 400

// walk calls operations using only the contract: its examples of bodies, and its links from one response to the next
// operation.
type walk struct {
	t          *testing.T
	s          *desk.Desk
	operations map[string]specOperation
	// tokens are the tokens of the demo accounts, by role; key is a service's key.
	tokens  map[sqlc.UserRole]string
	key     string
	reached map[string]bool
	// seen has the steps that have been queued.
	seen  map[string]walkStep
	queue []walkStep
	// ends are the steps that end something, such as a session. They run last.
	ends []walkStep
}

// walkStep is one request, with the parameters and the body of the link that led to it.
type walkStep struct {
	id         string
	parameters map[string]string
	body       any
}

// The demo accounts of "support dev". The contract's examples use them.
var demoAccounts = map[sqlc.UserRole]string{
	sqlc.UserRoleUser: "ada@example.com", sqlc.UserRoleAgent: "staff@example.com", sqlc.UserRoleAdmin: "admin@example.com",
}

func TestEveryOperationIsReachedByExamplesAndLinks(t *testing.T) {
	t.Parallel()
	w := &walk{
		t: t, s: desk.New(t, desk.Options{}), operations: make(map[string]specOperation),
		tokens: make(map[sqlc.UserRole]string), reached: make(map[string]bool), seen: make(map[string]walkStep),
	}
	for role, email := range demoAccounts {
		body := map[string]string{"email": email, "password": "correct horse battery"}
		require.Equal(t, http.StatusCreated, post(t, w.s, "/auth/signup", body).Status)
		storetest.Exec(t, w.s.DatabaseURL, "UPDATE users SET role = $1 WHERE email = $2", role, email)
		w.tokens[role] = w.logIn(email)
	}
	w.key = w.s.Staff(t, sqlc.UserRoleAdmin).NewAPIKey(t, client.CreateAPIKeyRequest{Scopes: client.Scopes{
		client.ScopeTicketsRead, client.ScopeTicketsWrite, client.ScopeAI, client.ScopeUsers, client.ScopeEvents, client.ScopeWebhooks, client.ScopeOnBehalf,
	}}).Key
	w.s.Do(t, http.MethodGet, "/me", "", "Authorization: Bearer "+w.key, "X-On-Behalf-Of: customer-4711") // The request creates the customer's account.
	first := w.s.Do(t, http.MethodPost, "/tickets", `{"title":"A duplicate","description":"It is merged."}`,
		"Authorization: Bearer "+w.tokens[sqlc.UserRoleUser], "Content-Type: application/json")
	require.Equal(t, http.StatusCreated, first.Status, "%s", first.Body)
	for _, o := range specOperations(t) {
		w.operations[o.OperationID] = o
	}
	for id, o := range w.operations {
		if !strings.Contains(o.template, "{") { // Other paths need an id, which comes from a link.
			w.add(walkStep{id: id})
		}
	}
	for _, id := range []string{"publishAIResponse", "discardAIResponse"} { // These operations need a draft that waits for review.
		w.add(walkStep{id: id, parameters: map[string]string{"ai_response_id": w.draft()}})
	}
	macro := map[string]string{"ticket_id": idOf(t, first.Body), "macro_id": w.macro()}
	for _, id := range []string{"previewMacro", "applyMacro"} { // No link has the ids of both a macro and a ticket.
		w.add(walkStep{id: id, parameters: macro})
	}
	w.run()
	// Responses that were running are now complete, and may have more links.
	for _, step := range w.seen {
		if w.operations[step.id].method == http.MethodGet || !w.reached[step.id] && !w.isEnd(step) {
			w.queue = append(w.queue, step)
		}
	}
	w.run()
	slices.SortStableFunc(w.ends, func(a, b walkStep) int {
		hasBody := func(s walkStep) int { return min(len(w.bodies(s)[0]), 1) }
		return cmp.Compare(hasBody(a), hasBody(b)) // Changing the password comes last.
	})
	for _, end := range w.ends {
		w.tokens[sqlc.UserRoleUser] = w.logIn(demoAccounts[sqlc.UserRoleUser])
		w.queue = []walkStep{end}
		w.run()
	}
	for id := range w.operations {
		require.True(t, w.reached[id], "%s: no example or link reaches the operation", id)
	}
}

// draft returns a draft that waits for review.
func (w *walk) draft() string {
	customer, agent := "Authorization: Bearer "+w.tokens[sqlc.UserRoleUser], "Authorization: Bearer "+w.tokens[sqlc.UserRoleAgent]
	created := w.s.Do(w.t, http.MethodPost, "/tickets", `{"title":"t","description":"d"}`, jsonType, customer)
	path := created.Header.Get("Location")
	w.s.Do(w.t, http.MethodPatch, path, `{"ai_mode":"draft"}`, jsonType, agent)
	stream := w.s.Do(w.t, http.MethodGet, path+"/ai-response", "", agent)
	return readyIn(w.t, stream.Body).AIResponseID.String()
}

// macro returns a macro.
func (w *walk) macro() string {
	created := w.s.Do(w.t, http.MethodPost, "/macros", `{"name":"A macro","content":"Hello {{customer.name}}.","add_tags":["macro"]}`, jsonType,
		"Authorization: Bearer "+w.tokens[sqlc.UserRoleAgent])
	require.Equal(w.t, http.StatusCreated, created.Status, "%s", created.Body)
	return idOf(w.t, created.Body)
}

func (w *walk) logIn(email string) string {
	in := post(w.t, w.s, "/auth/login", map[string]string{"email": email, "password": "correct horse battery"})
	require.Equal(w.t, http.StatusOK, in.Status, "%s", in.Body)
	var tokens map[string]any
	require.NoError(w.t, json.Unmarshal(in.Body, &tokens))
	return fmt.Sprint(tokens["access_token"])
}

// add queues a new step.
func (w *walk) add(step walkStep) {
	key := fmt.Sprint(step)
	if _, seen := w.seen[key]; seen {
		return
	}
	w.seen[key] = step
	if w.isEnd(step) {
		w.ends = append(w.ends, step)
		return
	}
	w.queue = append(w.queue, step)
}

// isEnd reports whether the step ends or removes something that other steps need.
func (w *walk) isEnd(step walkStep) bool {
	return step.id == "redactTicket" || slices.Equal(w.operations[step.id].successes(w.t), []int{http.StatusNoContent})
}

// run sends the queued steps and those that follow from their responses. It ignores links for which a response has no
// value.
func (w *walk) run() {
	for sent := 0; len(w.queue) > 0 && sent < maxWalk; sent++ {
		step := w.queue[0]
		w.queue = w.queue[1:]
		o := w.operations[step.id]
		for _, caller := range w.callers(o) {
			for _, body := range w.bodies(step) {
				w.send(o, step, body, caller)
			}
		}
	}
}

// callers returns the credentials of callers who may call the operation: a person, a service, and a service for its
// customer.
func (w *walk) callers(o specOperation) [][]string {
	if o.role == "" {
		return [][]string{nil}
	}
	callers := [][]string{{"Authorization: Bearer " + w.tokens[o.role]}}
	if o.actsForCustomers() {
		key := "Authorization: Bearer " + w.key
		callers = append(callers, []string{key}, []string{key, "X-On-Behalf-Of: customer-4711"})
	}
	return callers
}

// send sends a request and follows the links of its response. After a success, only reads are repeated by other
// callers.
func (w *walk) send(o specOperation, step walkStep, body string, caller []string) {
	if w.reached[step.id] && o.method != http.MethodGet {
		return
	}
	if o.RequestBody != nil {
		caller = append(slices.Clone(caller), "Content-Type: application/json")
	}
	got := w.s.Do(w.t, o.method, pathOf(o, step), body, caller...)
	if got.Status >= 300 {
		return
	}
	w.reached[step.id] = true
	links := o.Responses.Status(got.Status).Value.Links
	for _, name := range slices.Sorted(maps.Keys(links)) {
		w.follow(links[name].Value, step, body, got)
	}
}

// bodies returns the bodies to send: the link's, or the examples, or one empty body.
func (w *walk) bodies(step walkStep) (bodies []string) {
	o := w.operations[step.id]
	if o.RequestBody == nil {
		return []string{""}
	}
	values := []any{step.body}
	if step.body == nil {
		examples := o.RequestBody.Value.Content["application/json"].Examples
		values = nil
		for _, name := range slices.Sorted(maps.Keys(examples)) {
			values = append(values, examples[name].Value.Value)
		}
	}
	for _, value := range values {
		raw, err := json.Marshal(value)
		require.NoError(w.t, err)
		bodies = append(bodies, string(raw))
	}
	return bodies
}

// pathOf returns the step's path.
func pathOf(o specOperation, step walkStep) string {
	path := o.template
	query := url.Values{}
	for name, value := range step.parameters {
		if strings.Contains(path, "{"+name+"}") {
			path = strings.ReplaceAll(path, "{"+name+"}", value)
			continue
		}
		query.Set(name, value)
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path
}

// follow queues the operation that a link leads to.
func (w *walk) follow(link *openapi3.Link, from walkStep, sent string, got apitest.Response) {
	require.Contains(w.t, w.operations, link.OperationID)
	next := walkStep{id: link.OperationID, parameters: make(map[string]string)}
	value := func(expression any) (any, bool) { return evaluate(w.t, fmt.Sprint(expression), from, sent, got) }
	for name, expression := range link.Parameters {
		v, known := value(expression)
		if !known {
			return
		}
		next.parameters[name] = fmt.Sprint(v)
	}
	if link.RequestBody != nil {
		body := make(map[string]any)
		given, ok := link.RequestBody.(map[string]any)
		require.True(w.t, ok, link.OperationID)
		for name, expression := range given {
			v, known := value(expression)
			if !known {
				return
			}
			body[name] = v
		}
		next.body = body
	}
	w.add(next)
}

// evaluate returns the value of a runtime expression (OpenAPI 3.1, section 4.8.20.4). It supports those that the
// contract uses.
func evaluate(t *testing.T, expression string, from walkStep, sent string, got apitest.Response) (value any, known bool) {
	t.Helper()
	if name, ok := strings.CutPrefix(expression, "$request.path."); ok {
		value, known := from.parameters[name]
		return value, known
	}
	source, body := got.Body, strings.TrimPrefix(expression, "$response.body#/")
	if pointer, ok := strings.CutPrefix(expression, "$request.body#/"); ok {
		source, body = []byte(sent), pointer
	}
	require.NotEqual(t, expression, body, "this test does not support the expression")
	require.NoError(t, json.Unmarshal(source, &value))
	for part := range strings.SplitSeq(body, "/") {
		switch in := value.(type) {
		case map[string]any:
			value = in[part]
		case []any:
			i, err := strconv.Atoi(part)
			require.NoError(t, err, expression)
			if i >= len(in) {
				return nil, false
			}
			value = in[i]
		}
	}
	return value, value != nil
}
