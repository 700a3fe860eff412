package httpapi

import (
	"cmp"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
)

const (
	mediaTypeEventStream = "text/event-stream"

	// maxRanges is how many media ranges of an Accept header are read.
	maxRanges = 100
)

// contract checks every request against openapi.yaml, in this order: who asks and how often, what the answer may look
// like, the parameters, the body. An operation that is not in the document, or says nothing of its security, does not exist.
type contract struct {
	operations map[route]*operation
	// templates are the paths as the document writes them, by Echo's form of them.
	templates map[string]string
}

// route is a method and a path in Echo's form, such as /tickets/:ticket_id.
type route struct{ method, path string }

// operation is what the document says of one operation, in the form in which requests are checked against it.
type operation struct {
	id string
	// role is the least role that may call it; empty for everybody, without a token.
	role auth.Role
	// scope is what it asks of API keys.
	scope auth.Scope
	// queryToken is the query parameter that may stand for the Authorization header; mostly there is none.
	queryToken string
	// limited says that the requests of one caller are counted, and cost as how many each of them counts.
	limited    bool
	cost       int
	parameters []*openapi3.Parameter
	// bodies are those that it takes, by media type; none when it takes no body.
	bodies map[string]body
	// produces are the media types of its successful responses.
	produces []string
	// keyed says that a request with an Idempotency-Key has its effect once, and versioned that a response has an ETag
	// and need not be sent to those who have it.
	keyed, versioned bool
}

func newContract(doc *openapi3.T) (*contract, error) {
	c := &contract{operations: make(map[route]*operation), templates: make(map[string]string)}
	for path, item := range doc.Paths.Map() {
		c.templates[echoPath(path)] = path
		for method, op := range item.Operations() {
			compiled, err := compile(doc, item, op)
			if err != nil {
				return nil, fmt.Errorf("httpapi: %s %s: %w", method, path, err)
			}
			c.operations[route{method, echoPath(path)}] = compiled
			if method == http.MethodGet && !compiled.streams() {
				c.operations[route{http.MethodHead, echoPath(path)}] = compiled
			}
		}
	}
	return c, nil
}

// echoPath turns /tickets/{ticket_id} into /tickets/:ticket_id.
func echoPath(path string) string {
	return strings.NewReplacer("{", ":", "}", "").Replace(path)
}

func compile(doc *openapi3.T, item *openapi3.PathItem, op *openapi3.Operation) (*operation, error) {
	role, err := requiredRole(op)
	if err != nil {
		return nil, err
	}
	scope, err := requiredScope(op, role)
	if err != nil {
		return nil, err
	}
	cost, err := costOf(op)
	if err != nil {
		return nil, err
	}
	compiled := &operation{
		id: op.OperationID, role: role, scope: scope, cost: cost, queryToken: queryToken(doc, op),
		bodies: make(map[string]body),
	}
	for _, p := range slices.Concat(item.Parameters, op.Parameters) {
		compiled.parameters = append(compiled.parameters, p.Value)
	}
	if op.RequestBody != nil {
		for mediaType, content := range op.RequestBody.Value.Content {
			compiled.bodies[mediaType] = body{schema: content.Schema.Value, limit: bodyLimit(content.Schema.Value)}
		}
	}
	compiled.limited = op.Responses.Status(http.StatusTooManyRequests) != nil
	for status, response := range op.Responses.Map() {
		if strings.HasPrefix(status, "2") {
			compiled.produces = slices.AppendSeq(compiled.produces, maps.Keys(response.Value.Content))
		}
	}
	compiled.versioned = op.Responses.Status(http.StatusNotModified) != nil
	compiled.keyed, err = compiled.keepsKeys(op)
	return compiled, err
}

// requiredRole reads an operation's security: "[]" is public; otherwise every alternative names the same one role.
func requiredRole(op *openapi3.Operation) (auth.Role, error) {
	if op.Security == nil {
		return "", fmt.Errorf("the operation has no security decision")
	}
	var role auth.Role
	for i, alternative := range *op.Security {
		for scheme, roles := range alternative {
			if len(roles) != 1 || i > 0 && auth.Role(roles[0]) != role {
				return "", fmt.Errorf("security scheme %s must name the one role that is needed", scheme)
			}
			role = auth.Role(roles[0])
		}
		if (auth.Actor{Role: role}).Has(role) {
			continue
		}
		return "", fmt.Errorf("%q is no role", role)
	}
	return role, nil
}

// queryToken returns the query parameter of an API key that the operation takes.
func queryToken(doc *openapi3.T, op *openapi3.Operation) string {
	for _, alternative := range *op.Security {
		for name := range alternative {
			if scheme := doc.Components.SecuritySchemes[name].Value; scheme.In == openapi3.ParameterInQuery {
				return scheme.Name
			}
		}
	}
	return ""
}

// template returns the document's form of a path of Echo's. A path that the document does not have stays as it is.
func (c *contract) template(path string) string {
	return cmp.Or(c.templates[path], path)
}

// allow lists the methods that the document gives a path (RFC 9110, section 10.2.1).
func (c *contract) allow(path string) string {
	var methods []string
	for r := range c.operations {
		if r.path == path && r.method != http.MethodHead {
			methods = append(methods, r.method)
		}
	}
	slices.Sort(methods)
	return strings.Join(methods, ", ")
}

// methods lists the methods that the document has at all, and HEAD.
func (c *contract) methods() []string {
	var methods []string
	for r := range c.operations {
		methods = append(methods, r.method)
	}
	slices.Sort(methods)
	return slices.Compact(methods)
}

// check is the middleware that lets only requests through that the document allows.
func (s *Server) check(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		op, known := s.contract.operations[route{c.Request().Method, c.Path()}]
		if !known {
			if c.Request().Method == http.MethodOptions && s.contract.allow(c.Path()) != "" {
				return echo.ErrMethodNotAllowed // Echo would answer it by itself.
			}
			// Not one of ours: the documentation's pages, or nothing at all.
			return next(c)
		}
		checked := func() error { return s.checkRequest(c, op) }
		if op.streams() {
			checked = func() error { return apart(func() error { return s.checkRequest(c, op) }) }
		}
		if err := checked(); err != nil {
			return err
		}
		switch {
		case op.keyed && c.Request().Header.Get(headerIdempotencyKey) != "":
			return s.once(c, op, next)
		case op.versioned:
			return s.conditional(c, next)
		case op.streams():
			return next(c)
		default:
			return s.deliver(c, next)
		}
	}
}

// checkRequest returns why the request may not go on, if it may not.
func (s *Server) checkRequest(c echo.Context, op *operation) error {
	if err := s.admit(c, op); err != nil {
		return err
	}
	if err := op.checkAccept(c.Request().Header.Values(echo.HeaderAccept)); err != nil {
		return err
	}
	if err := op.checkParameters(c); err != nil {
		return err
	}
	if len(op.bodies) > 0 {
		return op.checkBody(c)
	}
	return nil
}

// checkAccept returns NotAcceptable unless one of the accepted media ranges (RFC 9110, section 12.5.1) is one that the
// operation produces.
func (op *operation) checkAccept(accept []string) error {
	if len(accept) == 0 || len(op.produces) == 0 {
		return nil
	}
	weights := make(map[string]string)
	for i, mediaRange := range strings.SplitN(strings.Join(accept, ","), ",", maxRanges+1) {
		if i == maxRanges {
			break // No client needs that many.
		}
		if mediaType, params, err := mime.ParseMediaType(mediaRange); err == nil {
			weights[mediaType] = params["q"]
		}
	}
	if strings.TrimSpace(strings.Join(accept, "")) == "" || slices.ContainsFunc(op.produces, accepts(weights)) {
		return nil
	}
	return apperr.New(apperr.NotAcceptable, "The operation cannot answer in an accepted media type.")
}

// accepts reports whether a media type is accepted: the most precise range that it is in decides.
func accepts(weights map[string]string) func(string) bool {
	return func(mediaType string) bool {
		kind, _, _ := strings.Cut(mediaType, "/")
		for _, mediaRange := range []string{mediaType, kind + "/*", "*/*"} {
			if weight, named := weights[mediaRange]; named {
				return !isZero(weight)
			}
		}
		return false
	}
}

// isZero reports whether a weight excludes its media range.
func isZero(q string) bool {
	return q != "" && strings.Trim(q, "0.") == ""
}

// streams reports whether the operation answers with a stream of events.
func (op *operation) streams() bool {
	return slices.Contains(op.produces, mediaTypeEventStream)
}
