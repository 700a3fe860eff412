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
	"github.com/supportbackend/support/internal/testing/desk"
)

// fuzzChecks is how many requests a usual run generates for each operation, and for each way to break them. More of them take the flag
// -rapid.checks, and -rapid.seed generates the same ones again.
const fuzzChecks = "3"

// fuzzed is an operation with a cast of its own, whose owner or administrator calls it.
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
	// text is sent instead of the body when it is not empty.
	text string
	// token is whose name it comes in.
	token string
}

// TestOperationsTakeWhatTheContractAllowsAndNothingElse generates requests from the contract's schemas, for every operation.
// What it allows, with texts as short and as long as it says, and what it shows as an example, is not refused for its form; what it does not allow is refused with the status for that fault, and changes
// nothing. The client validates every response against the contract.
func TestOperationsTakeWhatTheContractAllowsAndNothingElse(t *testing.T) {
	t.Parallel()
	setRapidFlags(t, map[string]string{"rapid.checks": fuzzChecks, "rapid.nofailfile": "true"})
	// The second model is one that the contract's examples ask for.
	all := newStages(t, desk.Options{Models: []string{config.Defaults().GroqModel, "openai/gpt-oss-20b"}})
	for _, o := range specOperations(t) {
		t.Run(o.OperationID, func(t *testing.T) {
			t.Parallel()
			f := newFuzzed(t, all.cast(t), o)
			f.requireExamplesTaken(t)
			f.requireBoundsTaken(t)
			rapid.Check(t, func(r *rapid.T) { f.requireTaken(t, r) })
			f.renew(t)
			before := f.snapshot(t)
			rapid.Check(t, func(r *rapid.T) { f.requireRefused(t, r) })
			require.Equal(t, before, f.snapshot(t), "what was refused has changed something")
		})
	}
}

// setRapidFlags sets the flags that the command line does not.
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

// requireExamplesTaken sends what the contract shows as requests.
func (f *fuzzed) requireExamplesTaken(t *testing.T) {
	t.Helper()
	if f.RequestBody == nil {
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
			if got.Status >= http.StatusBadRequest {
				require.Contains(t, f.how.refusals, got.Status, "the example %s: %s", name, got.Body)
			}
		}
	}
}

// requireBoundsTaken sends bodies whose texts are all as short, and all as long, as they may be.
func (f *fuzzed) requireBoundsTaken(t *testing.T) {
	t.Helper()
	if f.RequestBody == nil {
		return
	}
	for mediaType, media := range f.RequestBody.Value.Content {
		for _, l := range []length{shortest, longest} {
			f.renew(t)
			body := f.own(validObject(media.Schema.Value, l).Example(1))
			got := f.send(t, fuzzRequest{
				method: f.method, path: f.ownPath(), header: http.Header{"Content-Type": {mediaType}}, token: f.caller.Token,
				body: body, form: mediaType != "application/json",
			})
			if got.Status >= http.StatusBadRequest {
				require.Contains(t, f.how.refusals, got.Status, "%v: %s", body, got.Body)
			}
		}
	}
}

func newFuzzed(t *testing.T, c *cast, o specOperation) *fuzzed {
	t.Helper()
	f := &fuzzed{specOperation: o, cast: c, item: apitest.Spec(t).Paths.Value(o.template)}
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
			continue // A cursor is not to be made up.
		}
		value := fmt.Sprint(validValue(p.Schema, anyLength).Draw(r, p.Name))
		if p.Name == "Idempotency-Key" {
			value = unlikeOthers(value, int(*p.Schema.Value.MaxLength))
		}
		request.set(p, value)
	}
	if f.RequestBody != nil {
		mediaType := rapid.SampledFrom(slices.Sorted(maps.Keys(f.RequestBody.Value.Content))).Draw(r, "media type")
		request.form = mediaType != "application/json"
		request.header.Set("Content-Type", mediaType)
		request.body = f.own(validObject(f.RequestBody.Value.Content[mediaType].Schema.Value, anyLength).Draw(r, "body"))
	}
	return request
}

// unlikeOthers makes a key unlike those of all other requests, which are for something else.
func unlikeOthers(key string, longest int) string {
	id := uuid.NewString()
	return id + key[:min(len(key), longest-len(id))]
}

// own returns the body with the caller's own ticket, if it names one.
func (f *fuzzed) own(body map[string]any) map[string]any {
	if member := f.how.ticketIn; member != "" {
		return changeMember(body, member, f.ids[0])
	}
	return body
}

// ownPath is the path with the ids of what is the caller's own.
func (f *fuzzed) ownPath() string {
	path := f.template
	for i, name := range f.pathParameters {
		path = strings.ReplaceAll(path, "{"+name+"}", f.ids[i])
	}
	return path
}

// parameters are those in the query and the header.
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

// renew replaces what the call before has ended.
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

// requireRefused breaks a request of its own in each of the ways.
func (f *fuzzed) requireRefused(t *testing.T, r *rapid.T) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(f.faults(r, f.valid(r)))) {
		request := f.valid(r)
		fault, applies := f.faults(r, request)[name]
		if !applies {
			continue // It is a fault of another media type.
		}
		status := fault(&request)
		if got := f.send(t, request); got.Status != status {
			r.Fatalf("%s, %s: answered %d instead of %d: %s", f.OperationID, name, got.Status, status, got.Body)
		}
	}
}
