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

// maxWalk is how many requests a walk may send.
const maxWalk = 400

// walk calls operations with nothing but what the contract says: examples of bodies, and links from one response to the next
// operation.
type walk struct {
	t          *testing.T
	s          *desk.Desk
	operations map[string]specOperation
	// tokens are those of the demo accounts, by role, and key is a service's.
	tokens  map[sqlc.UserRole]string
	key     string
	reached map[string]bool
	// seen are the steps that were queued.
	seen  map[string]walkStep
	queue []walkStep
	// ends are steps that end something, such as a session: they come last.
	ends []walkStep
}

// walkStep is one request: the parameters that a link gives, and the body that it gives instead of the example.
type walkStep struct {
	id         string
	parameters map[string]string
	body       any
}

// The demo accounts of support dev, which the examples name.
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
	w.s.Do(t, http.MethodGet, "/me", "", "Authorization: Bearer "+w.key, "X-On-Behalf-Of: customer-4711") // Makes the account.
	first := w.s.Do(t, http.MethodPost, "/tickets", `{"title":"A duplicate","description":"It is merged."}`,
		"Authorization: Bearer "+w.tokens[sqlc.UserRoleUser], "Content-Type: application/json")
	require.Equal(t, http.StatusCreated, first.Status, "%s", first.Body)
	for _, o := range specOperations(t) {
		w.operations[o.OperationID] = o
	}
	for id, o := range w.operations {
		if !strings.Contains(o.template, "{") { // Only a link knows an id.
			w.add(walkStep{id: id})
		}
	}
	for _, id := range []string{"publishAIResponse", "discardAIResponse"} { // A draft waits in a ticket of that mode.
		w.add(walkStep{id: id, parameters: map[string]string{"ai_response_id": w.draft()}})
	}
	macro := map[string]string{"ticket_id": idOf(t, first.Body), "macro_id": w.macro()}
	for _, id := range []string{"previewMacro", "applyMacro"} { // No response names a macro and a ticket.
		w.add(walkStep{id: id, parameters: macro})
	}
	w.run()
	// What was being written then is complete now, and may lead on.
	for _, step := range w.seen {
		if w.operations[step.id].method == http.MethodGet || !w.reached[step.id] && !w.isEnd(step) {
			w.queue = append(w.queue, step)
		}
	}
	w.run()
	slices.SortStableFunc(w.ends, func(a, b walkStep) int {
		hasBody := func(s walkStep) int { return min(len(w.bodies(s)[0]), 1) }
		return cmp.Compare(hasBody(a), hasBody(b)) // A changed password comes last.
	})
	for _, end := range w.ends {
		w.tokens[sqlc.UserRoleUser] = w.logIn(demoAccounts[sqlc.UserRoleUser])
		w.queue = []walkStep{end}
		w.run()
	}
	for id := range w.operations {
		require.True(t, w.reached[id], "%s: no example and no link leads there", id)
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

// add queues a step that is new.
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

// isEnd reports whether the step ends something, or takes away what others read.
func (w *walk) isEnd(step walkStep) bool {
	return step.id == "redactTicket" || slices.Equal(w.operations[step.id].successes(w.t), []int{http.StatusNoContent})
}

// run sends what is queued, and what that leads to. Links that a response has no value for lead nowhere.
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

// callers are the credentials of those who may call the operation: a person, a service, and a service for its customer.
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

// send sends a request, and follows the links of its response. Only a read is sent again by others once it has succeeded.
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

// bodies are those that the step may send: the link's, or else the examples, or else a single empty body.
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

// pathOf is where the step sends its request.
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

// evaluate is the value of a runtime expression (OpenAPI 3.1, section 4.8.20.4), as far as the contract uses them.
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
	require.NotEqual(t, expression, body, "an expression that this test does not know")
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
