package api_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/config"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/contracttest"
	"github.com/supportbackend/support/internal/testing/desk"
)

// fuzzChecks is the number of requests that a normal run generates for each operation, and for each way to break them.
// The flag -rapid.checks raises it, and -rapid.seed repeats a run.
const fuzzChecks = "3"

// fuzzed is an operation with its own cast. The owner or the administrator calls it.
type fuzzed struct {
	specOperation
	*cast
	caller *apitest.User
	ids    []string
	item   *openapi3.PathItem
}

// fuzzRequest is one request, in parts that can be broken one by one.
type fuzzRequest struct {
	method, path string
	query        url.Values
	header       http.Header
	body         map[string]any
	form         bool
	// text, if not empty, replaces the body.
	text string
	// token is the caller's token.
	token string
}

// TestOperationsAcceptExactlyWhatTheContractAllows generates requests from the contract's schemas for every operation.
// The server must accept the form of every valid request, including texts of the shortest and longest lengths and the
// contract's examples. It must refuse every invalid request with the status of its fault, and change nothing. The
// client validates every response against the contract.
func TestOperationsAcceptExactlyWhatTheContractAllows(t *testing.T) {
	t.Parallel()
	setRapidFlags(t, map[string]string{"rapid.checks": fuzzChecks, "rapid.nofailfile": "true"})
	// The contract's examples use the second model.
	d := desk.New(t, desk.Options{Models: []string{config.Defaults().GroqModel, "openai/gpt-oss-20b"}})
	for _, o := range specOperations(t) {
		t.Run(o.OperationID, func(t *testing.T) {
			f := newFuzzed(t, castOf(t, d), o)
			f.requireExamplesTaken(t)
			f.requireBoundsTaken(t)
			rapid.Check(t, func(r *rapid.T) { f.requireTaken(t, r) })
			f.renew(t)
			before := f.snapshot(t)
			rapid.Check(t, func(r *rapid.T) { f.requireRefused(t, r) })
			require.Equal(t, before, f.snapshot(t), "a refused request has changed something")
		})
	}
}

// setRapidFlags sets flags that are not on the command line.
func setRapidFlags(t *testing.T, values map[string]string) {
	t.Helper()
	given := make(map[string]bool)
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, value := range values {
		if !given[name] {
			require.NoError(t, flag.Set(name, value))
		}
	}
}

// requireExamplesTaken sends the contract's examples of requests. Without a body, the request has no optional parameters, so that
// its response has a body.
func (f *fuzzed) requireExamplesTaken(t *testing.T) {
	t.Helper()
	if f.RequestBody == nil {
		f.requireNotRefused(t, f.send(t, fuzzRequest{method: f.method, path: f.ownPath() + f.how.query, token: f.caller.Token}), "no body")
		return
	}
	for mediaType, media := range f.RequestBody.Value.Content {
		for name, example := range media.Examples {
			body, ok := example.Value.Value.(map[string]any)
			require.True(t, ok, name)
			body = f.own(body)
			got := f.send(t, fuzzRequest{
				method: f.method, path: f.ownPath(), header: http.Header{"Content-Type": {mediaType}}, token: f.caller.Token,
				body: body, form: mediaType != "application/json",
			})
			f.requireNotRefused(t, got, "the example "+name)
		}
	}
}

// requireBoundsTaken sends bodies whose texts all have the least, or all the greatest, length.
func (f *fuzzed) requireBoundsTaken(t *testing.T) {
	t.Helper()
	if f.RequestBody == nil {
		return
	}
	for mediaType, media := range f.RequestBody.Value.Content {
		for _, l := range []length{shortest, longest} {
			f.renew(t)
			body := f.own(validObject(media.Schema.Value, l).Example(int(l)))
			request := fuzzRequest{
				method: f.method, path: f.ownPath(), header: http.Header{"Content-Type": {mediaType}}, token: f.caller.Token,
				body: body, form: mediaType != "application/json",
			}
			got := f.send(t, request)
			if got.Status == http.StatusForbidden {
				request.token = f.admin.Token // Only staff may send some members.
				got = f.send(t, request)
			}
			f.requireNotRefused(t, got, fmt.Sprint(body))
		}
	}
}

// requireNotRefused checks the response to a valid request, which may be refused only as the usage of the operation says.
func (f *fuzzed) requireNotRefused(t *testing.T, got apitest.Response, request string) {
	t.Helper()
	if got.Status >= http.StatusBadRequest {
		require.Contains(t, f.how.refusals, got.Status, "%s: %s", request, got.Body)
	}
}

func newFuzzed(t *testing.T, c *cast, o specOperation) *fuzzed {
	t.Helper()
	f := &fuzzed{specOperation: o, cast: c, item: contracttest.Spec(t).Paths.Value(o.template)}
	f.caller = f.owner
	if !may(f.owner, o) {
		f.caller = f.admin
	}
	f.ids = o.ownedIDs(t, f.cast)
	if o.how.only == onlyService {
		service := f.apiKey(t, auth.RoleUser, append(o.scopes, auth.ScopeOnBehalf)...)
		f.caller = f.Service(t, service.key, "")
		f.ids = []string{f.customerOf(t, service).String()}
	}
	return f
}

// valid generates a request that the contract allows.
func (f *fuzzed) valid(r *rapid.T) fuzzRequest {
	request := fuzzRequest{
		method: f.method, path: f.ownPath(), query: url.Values{}, header: http.Header{}, token: f.caller.Token,
	}
	for _, p := range f.parameters() {
		if p.Name == "cursor" || !p.Required && !rapid.Bool().Draw(r, "has "+p.Name) {
			continue // Cursors cannot be generated.
		}
		value := fmt.Sprint(validValue(p.Schema, anyLength).Draw(r, p.Name))
		if p.Name == "Idempotency-Key" {
			value = unlikeOthers(value)
		}
		request.set(p, value)
	}
	if f.RequestBody != nil {
		mediaType := rapid.SampledFrom(slices.Sorted(maps.Keys(f.RequestBody.Value.Content))).Draw(r, "media type")
		request.form = mediaType != "application/json"
		request.header.Set("Content-Type", mediaType)
		request.body = renamed(f.own(validObject(f.RequestBody.Value.Content[mediaType].Schema.Value, anyLength).Draw(r, "body")))
	}
	return request
}

// renamed makes the client's id of the body's message unique: an id may be used for one message.
func renamed(body map[string]any) map[string]any {
	if id, ok := body["client_id"].(string); ok {
		return changeMember(body, "client_id", unlikeOthers(id))
	}
	messages, ok := body["messages"].([]any)
	if !ok {
		return body
	}
	messages = slices.Clone(messages)
	last := len(messages) - 1
	if message, ok := messages[last].(map[string]any); ok {
		if id, ok := message["id"].(string); ok {
			messages[last] = changeMember(message, "id", unlikeOthers(id))
		}
	}
	return changeMember(body, "messages", messages)
}

// unlikeOthers makes an id that may be used once unique. Such ids have at most 255 characters.
func unlikeOthers(id string) string {
	const longest = 255
	unique := []rune(uuid.NewString() + id)
	return string(unique[:min(len(unique), longest)])
}

// own replaces a ticket in the body by the caller's own.
func (f *fuzzed) own(body map[string]any) map[string]any {
	if member := f.how.ticketIn; member != "" {
		return changeMember(body, member, f.ids[0])
	}
	return body
}

// ownPath returns the path with ids of the caller's own things.
func (f *fuzzed) ownPath() string {
	path := f.template
	for i, name := range f.pathParameters {
		path = strings.ReplaceAll(path, "{"+name+"}", f.ids[i])
	}
	return path
}

// parameters returns the parameters in the query and the header.
func (f *fuzzed) parameters() (found []*openapi3.Parameter) {
	for _, p := range f.Parameters {
		if p.Value.In != openapi3.ParameterInPath {
			found = append(found, p.Value)
		}
	}
	return found
}

func (r *fuzzRequest) set(p *openapi3.Parameter, value string) {
	if p.In == openapi3.ParameterInHeader {
		r.header.Set(p.Name, value)
		return
	}
	r.query.Set(p.Name, value)
}

func (f *fuzzed) send(t *testing.T, r fuzzRequest) apitest.Response {
	t.Helper()
	text := r.text
	switch {
	case text != "" || r.body == nil:
	case r.form:
		values := url.Values{}
		for name, value := range r.body {
			values.Set(name, fmt.Sprint(value))
		}
		text = values.Encode()
	default:
		raw, err := json.Marshal(r.body)
		require.NoError(t, err)
		text = string(raw)
	}
	path := r.path
	if len(r.query) > 0 {
		path += "?" + r.query.Encode()
	}
	var header []string
	if r.token != "" {
		header = append(header, "Authorization: Bearer "+r.token)
	}
	for name, values := range r.header {
		for _, value := range values {
			header = append(header, name+": "+value)
		}
	}
	return f.Do(t, r.method, path, text, header...)
}

// renew replaces what the previous call has ended.
func (f *fuzzed) renew(t *testing.T) {
	t.Helper()
	switch {
	case f.OperationID == "logOut":
		f.caller = f.Again(t, f.caller)
	case f.method == http.MethodDelete:
		f.ids = f.ownedIDs(t, f.cast)
	}
}

func (f *fuzzed) requireTaken(t *testing.T, r *rapid.T) {
	t.Helper()
	f.renew(t)
	got := f.send(t, f.valid(r))
	if got.Status < http.StatusBadRequest {
		return
	}
	if !slices.Contains(f.how.refusals, got.Status) {
		r.Fatalf("%s refused what the contract allows with %d: %s", f.OperationID, got.Status, got.Body)
	}
}

// requireRefused breaks a new request in each possible way.
func (f *fuzzed) requireRefused(t *testing.T, r *rapid.T) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(f.faults(r, f.valid(r)))) {
		request := f.valid(r)
		fault, applies := f.faults(r, request)[name]
		if !applies {
			continue // The fault belongs to another media type.
		}
		status := fault(&request)
		if got := f.send(t, request); got.Status != status {
			r.Fatalf("%s, %s: answered %d instead of %d: %s", f.OperationID, name, got.Status, status, got.Body)
		}
	}
}
