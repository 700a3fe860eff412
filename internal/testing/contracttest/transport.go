// Package contracttest checks a server's responses and journal entries against the contract, in tests. It counts what it has
// seen, to find what the contract declares and no test has seen.
package contracttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/internal/auth"
)

const (
	mediaTypeProblem     = "application/problem+json"
	mediaTypeEventStream = "text/event-stream"
	mediaTypeLines       = "application/x-ndjson"
)

// spec is the contract, read once.
var spec = sync.OnceValues(func() (*openapi3.T, error) { return openapi3.NewLoader().LoadFromData(api.SpecJSON) })

// Spec returns the contract.
func Spec(t testing.TB) *openapi3.T {
	t.Helper()
	doc, err := spec()
	require.NoError(t, err)
	return doc
}

// Transport validates every response against the contract. It reports a fault as a failure of the test, not as an error
// of the request, so that no test can mistake it for an expected error.
type Transport struct {
	t    testing.TB
	doc  *openapi3.T
	next *http.Transport
	auth *auth.Service
	sent requests
}

// NewTransport returns a transport to a server, whose tokens a checks.
func NewTransport(t testing.TB, a *auth.Service) *Transport {
	t.Helper()
	return &Transport{t: t, doc: Spec(t), next: &http.Transport{MaxIdleConnsPerHost: 64}, auth: a}
}

// CloseIdleConnections closes the connections that no request uses.
func (tr *Transport) CloseIdleConnections() { tr.next.CloseIdleConnections() }

// RoundTrip sends the request and checks the response. It checks the body of a stream while it is read.
func (tr *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	begin := time.Now()
	response, err := tr.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	path, item := find(tr.doc, r.URL)
	if item == nil {
		// Not in the contract: a page of the documentation, or an unknown path.
		return response, nil
	}
	operation := item.GetOperation(methodOf(r))
	if operation == nil {
		return response, tr.checkMethodNotAllowed(item, response)
	}
	tr.sent.note(operation, begin)
	switch contentType := mediaTypeOf(response); contentType {
	case mediaTypeEventStream:
		events := eventsOf(operation, contentType)
		check := func(line string) { tr.checkLine(r, events, line) }
		tr.checkDeclared(r, operation, response)
		response.Body = &checkedStream{body: response.Body, check: check}
		return response, nil
	case mediaTypeLines:
		lines := eventsOf(operation, contentType)
		check := func(line string) { tr.checkExported(lines, line) }
		tr.checkDeclared(r, operation, response)
		response.Body = &checkedStream{body: response.Body, check: check}
		return response, nil
	}
	return response, tr.check(r, path, operation, response)
}

func methodOf(r *http.Request) string {
	if r.Method == http.MethodHead {
		return http.MethodGet
	}
	return r.Method
}

// mediaTypeOf returns the media type of a response, without parameters.
func mediaTypeOf(response *http.Response) string {
	mediaType, _, _ := strings.Cut(response.Header.Get("Content-Type"), ";")
	return mediaType
}

// route is a path of the contract.
type route struct {
	template string
	parts    []string
}

// routes are the paths of the contract, split once.
var routes = sync.OnceValue(func() (all []route) {
	doc, _ := spec() // Spec has reported its error.
	for template := range doc.Paths.Map() {
		all = append(all, route{template, strings.Split(template, "/")})
	}
	return all
})

// find returns the contract's path of a URL.
func find(doc *openapi3.T, u *url.URL) (string, *openapi3.PathItem) {
	parts := strings.Split(u.EscapedPath(), "/")
	for _, r := range routes() {
		if matches(r.parts, parts) {
			return r.template, doc.Paths.Value(r.template)
		}
	}
	return "", nil
}

func matches(template, parts []string) bool {
	if len(template) != len(parts) {
		return false
	}
	for i, part := range template {
		if part != parts[i] && (!strings.HasPrefix(part, "{") || parts[i] == "") {
			return false
		}
	}
	return true
}

func (tr *Transport) check(r *http.Request, path string, operation *openapi3.Operation, response *http.Response) error {
	body, err := readBody(response)
	if err != nil {
		return err
	}
	tr.checkDeclared(r, operation, response)
	if r.Method == http.MethodHead {
		return nil
	}
	contentType := mediaTypeOf(response)
	seen.problem(contentType, body)
	declared := operation.Responses.Status(response.StatusCode)
	if declared == nil || declared.Value.Content.Get(contentType) == nil {
		return nil
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err == nil {
		tr.checkMembers(r, operation, response, membersOf(declared.Value.Content.Get(contentType).Schema, value))
		err = validate(bodyOf{path, methodOf(r), response.StatusCode, declared.Ref, contentType}.place(), value)
	}
	if err != nil {
		tr.t.Errorf("%s %s answered %d, which breaks the contract: %v\n%s", r.Method, path, response.StatusCode, err, body)
	}
	return nil
}

// checkDeclared checks that the operation declares the status, the media type and the headers.
func (tr *Transport) checkDeclared(r *http.Request, operation *openapi3.Operation, response *http.Response) {
	seen.response(operation.OperationID, response.StatusCode)
	declared := operation.Responses.Status(response.StatusCode)
	if declared == nil {
		tr.t.Errorf("%s %s answered %d, which the contract does not declare", r.Method, r.URL.Path, response.StatusCode)
		return
	}
	contentType := mediaTypeOf(response)
	if declared.Value.Content.Get(contentType) == nil && (contentType != "" || len(declared.Value.Content) > 0) {
		tr.t.Errorf("%s %s answered %d as %q, which the contract does not declare", r.Method, r.URL.Path,
			response.StatusCode, contentType)
	}
	for name, header := range declared.Value.Headers {
		if err := validateHeader(name, header, response.Header); err != nil {
			tr.t.Errorf("%s %s answered %d with a header %s that breaks the contract: %v", r.Method, r.URL.Path,
				response.StatusCode, name, err)
		}
	}
	if names := undeclaredHeaders(declared.Value, response.Header); len(names) > 0 {
		tr.t.Errorf("%s %s answered %d with headers that the contract does not declare: %v", r.Method, r.URL.Path,
			response.StatusCode, names)
	}
}

// checkMembers checks that a JSON body has no undeclared member, and none that the caller may not see.
func (tr *Transport) checkMembers(r *http.Request, operation *openapi3.Operation, response *http.Response, found faults) {
	if len(found.undeclared) > 0 {
		tr.t.Errorf("%s answered %d with members that the contract does not declare: %v", operation.OperationID,
			response.StatusCode, found.undeclared)
	}
	tr.checkVisibility(r, found)
}

// checkVisibility checks that only staff receive members for staff.
func (tr *Transport) checkVisibility(r *http.Request, found faults) {
	if len(found.staffOnly) > 0 && !tr.isStaff(r) {
		tr.t.Errorf("%s %s showed somebody who is not staff what only staff may see: %v", r.Method, r.URL.Path, found.staffOnly)
	}
}

// isStaff reports whether a request comes from staff, or from a service with a staff role that acts for itself.
func (tr *Transport) isStaff(r *http.Request) bool {
	if r.Header.Get("X-On-Behalf-Of") != "" {
		return false
	}
	authenticate := func() (auth.Actor, error) {
		if token := r.URL.Query().Get("stream_token"); token != "" {
			return tr.auth.AuthenticateStream(context.Background(), token, r.URL.Path)
		}
		_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		return tr.auth.Authenticate(context.Background(), strings.TrimSpace(token))
	}
	actor, err := authenticate()
	return err == nil && actor.IsStaff()
}

// checkMethodNotAllowed checks that the problem names the methods of the contract.
func (tr *Transport) checkMethodNotAllowed(item *openapi3.PathItem, response *http.Response) error {
	if response.StatusCode == http.StatusNoContent && response.Header.Get("Access-Control-Allow-Methods") != "" {
		return nil // a browser's preflight request
	}
	if response.StatusCode != http.StatusMethodNotAllowed {
		tr.t.Errorf("a method that the contract does not have was answered with %d", response.StatusCode)
	}
	for method := range item.Operations() {
		if !strings.Contains(response.Header.Get("Allow"), method) {
			tr.t.Errorf("Allow does not name %s", method)
		}
	}
	body, err := readBody(response)
	seen.problem(mediaTypeOf(response), body)
	return err
}

// readBody returns the response's body, which can be read again.
func readBody(response *http.Response) ([]byte, error) {
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(body))
	return body, err
}

// checkedStream checks every line of a stream.
type checkedStream struct {
	body  io.ReadCloser
	check func(line string)
	line  bytes.Buffer
}

// eventsOf returns the name of the schema of an operation's events or lines.
func eventsOf(operation *openapi3.Operation, mediaType string) string {
	return path.Base(operation.Responses.Status(http.StatusOK).Value.Content.Get(mediaType).Schema.Ref)
}

func (s *checkedStream) Read(p []byte) (int, error) {
	n, err := s.body.Read(p)
	for _, b := range p[:n] {
		if b != '\n' {
			s.line.WriteByte(b)
			continue
		}
		s.check(s.line.String())
		s.line.Reset()
	}
	return n, err
}

func (s *checkedStream) Close() error { return s.body.Close() }

func (tr *Transport) checkLine(r *http.Request, events, line string) {
	field, value, _ := strings.Cut(line, ": ")
	switch field {
	case "", "id", "event", "retry": // Blank lines and comments have no field name.
	case "data":
		if events == "UIMessageChunk" && value == "[DONE]" {
			return
		}
		if err := tr.checkEvent(r, events, []byte(value)); err != nil {
			tr.t.Errorf("an event breaks the contract: %v\n%s", err, value)
		}
	default:
		tr.t.Errorf("a stream has the line %q", line)
	}
}

// checkExported checks that a line of an export matches its schema and has only members that the customer may see,
// whoever requests it.
func (tr *Transport) checkExported(schema, line string) {
	nobody := &http.Request{URL: new(url.URL)}
	if err := tr.checkEvent(nobody, schema, []byte(line)); err != nil {
		tr.t.Errorf("a line breaks the contract: %v\n%s", err, line)
	}
}

func (tr *Transport) checkEvent(r *http.Request, events string, data []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return err
	}
	event, ok := value.(map[string]any)
	if !ok {
		return errors.New("an event is not an object")
	}
	schema := tr.doc.Components.Schemas[events]
	if union := schema.Value.Discriminator; union != nil {
		kind, _ := event["type"].(string)
		name, known := union.Mapping[kind]
		if !known {
			return fmt.Errorf("%q is no type of event", kind)
		}
		events = path.Base(name.Ref)
		schema = tr.doc.Components.Schemas[events]
	}
	if code, failed := event["code"].(string); failed {
		seen.code(code)
	}
	found := membersOf(schema, event)
	if len(found.undeclared) > 0 {
		return fmt.Errorf("members that are not declared: %v", found.undeclared)
	}
	tr.checkVisibility(r, found)
	return validate("#/components/schemas/"+events, event)
}

// IsStream reports whether a response of the contract is a stream of events or lines.
func IsStream(response *openapi3.ResponseRef) bool {
	return response != nil &&
		(response.Value.Content.Get(mediaTypeEventStream) != nil || response.Value.Content.Get(mediaTypeLines) != nil)
}
