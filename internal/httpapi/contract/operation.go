// Package contract compiles an OpenAPI document and checks requests against it: what a response may look like, the
// parameters, the body. It knows what the document says, and neither who asks nor who answers.
//
//   - operation.go reads the operations; accept.go checks the Accept header;
//   - params.go checks the path, the query and the headers;
//   - body.go reads bodies, which strictjson.go decodes along their schema (text.go, bodylimit.go) and schema.go validates.
package contract

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

const (
	mediaTypeEventStream = "text/event-stream"
	mediaTypeLines       = "application/x-ndjson"

	// extensionScope names the scopes that an operation requires of API keys, and extensionCost how many requests it
	// counts as.
	extensionScope = "x-scope"
	extensionCost  = "x-cost"
	maxCost        = 100

	// extensionIdempotency with the value none means that keys have no effect on an operation: repeating it is
	// harmless, or its response must not be stored, or it takes too long for a transaction.
	extensionIdempotency = "x-idempotency"
	noIdempotency        = "none"

	// extensionSchema is the schema of a security scheme's value, for which OpenAPI has no place.
	extensionSchema = "x-schema"

	// extensionForbidden lists values of a member, besides its enum, that the service refuses with 403.
	extensionForbidden = "x-forbidden"
)

// Operation is one operation of the document, compiled to check requests.
type Operation struct {
	// Method and Path are its route in the document's form, such as /tickets/{ticket_id}.
	Method, Path string
	ID           string
	// Role is the lowest role that may call it; empty for a public operation.
	Role string
	// Scopes are all the scopes that an API key needs; empty when the document names none.
	Scopes []string
	// QueryToken is the query parameter that may replace the Authorization header; mostly empty.
	QueryToken string
	// Limited means that the rate limit counts its requests, and Cost is how many requests each of them counts as.
	Limited bool
	Cost    int
	// Keyed means that it supports Idempotency-Key, and Versioned that its response has an ETag and supports
	// If-None-Match.
	Keyed, Versioned bool

	validator  *validator
	parameters []*openapi3.Parameter
	// onBehalfOf is the header that names the customer to act for; nil where nobody acts for customers.
	onBehalfOf *openapi3.Parameter
	// bodies are the accepted bodies by media type; empty when it accepts none.
	bodies map[string]body
	// produces are the media types of its successful responses.
	produces []string
}

// Read returns the paths and components of a document in JSON. It takes half the time that openapi3.T takes to decode
// itself, because that decodes the paths three times: generically, from what that gave, and for unknown members.
func Read(text []byte) (*openapi3.T, error) {
	var parts struct {
		Paths      map[string]*openapi3.PathItem `json:"paths"`
		Components *openapi3.Components          `json:"components"`
	}
	if err := json.Unmarshal(text, &parts); err != nil {
		return nil, err
	}
	doc := &openapi3.T{Paths: openapi3.NewPathsWithCapacity(len(parts.Paths)), Components: parts.Components}
	for path, item := range parts.Paths {
		doc.Paths.Set(path, item)
	}
	return doc, openapi3.NewLoader().ResolveRefsIn(doc, nil)
}

// Compile returns the document's operations, or an error when one is incomplete, for example when it declares no
// security. It changes the document.
func Compile(doc *openapi3.T, formats Formats) ([]*Operation, error) {
	dropImpliedPatterns(doc)
	v := newValidator(formats)
	var operations []*Operation
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			compiled, err := compile(doc, item, op)
			if err != nil {
				return nil, fmt.Errorf("contract: %s %s: %w", method, path, err)
			}
			compiled.Method, compiled.Path, compiled.validator = method, path, v
			operations = append(operations, compiled)
		}
	}
	return operations, nil
}

func compile(doc *openapi3.T, item *openapi3.PathItem, op *openapi3.Operation) (*Operation, error) {
	role, err := requiredRole(op)
	if err != nil {
		return nil, err
	}
	cost, err := costOf(op)
	if err != nil {
		return nil, err
	}
	scope, _ := op.Extensions[extensionScope].(string)
	compiled := &Operation{
		ID: op.OperationID, Role: role, Scopes: strings.Fields(scope), Cost: cost, QueryToken: queryToken(doc, op),
		bodies: make(map[string]body),
	}
	for _, p := range slices.Concat(item.Parameters, op.Parameters) {
		compiled.parameters = append(compiled.parameters, p.Value)
	}
	if op.RequestBody != nil {
		for mediaType, content := range op.RequestBody.Value.Content {
			allowForbidden(content.Schema.Value)
			compiled.bodies[mediaType] = body{schema: content.Schema.Value, limit: BodyLimit(content.Schema.Value)}
		}
	}
	compiled.Limited = op.Responses.Status(http.StatusTooManyRequests) != nil
	for status, response := range op.Responses.Map() {
		if strings.HasPrefix(status, "2") {
			compiled.produces = slices.AppendSeq(compiled.produces, maps.Keys(response.Value.Content))
		}
	}
	compiled.Versioned = op.Responses.Status(http.StatusNotModified) != nil
	if compiled.onBehalfOf, err = onBehalfOf(doc, op); err != nil {
		return nil, err
	}
	compiled.Keyed, err = compiled.supportsKeys(op)
	return compiled, err
}

// allowForbidden adds the values that members list as forbidden to their enums: the service refuses them.
func allowForbidden(body *openapi3.Schema) {
	for _, member := range body.Properties {
		forbidden, _ := member.Value.Extensions[extensionForbidden].([]any)
		member.Value.Enum = append(member.Value.Enum, forbidden...)
	}
}

// requiredRole reads an operation's security: "[]" means public; otherwise every alternative names the same role.
func requiredRole(op *openapi3.Operation) (role string, err error) {
	if op.Security == nil {
		return "", fmt.Errorf("the operation has no security decision")
	}
	for i, alternative := range *op.Security {
		for scheme, roles := range alternative {
			if len(roles) != 1 || roles[0] == "" || i > 0 && roles[0] != role {
				return "", fmt.Errorf("security scheme %s must name the one role that is needed", scheme)
			}
			role = roles[0]
		}
		if role == "" {
			return "", fmt.Errorf("a security alternative must name a scheme")
		}
	}
	return role, nil
}

// costOf returns how many requests an operation counts as.
func costOf(op *openapi3.Operation) (int, error) {
	value, set := op.Extensions[extensionCost]
	if !set {
		return 1, nil
	}
	cost, ok := value.(float64)
	if !ok || cost < 1 || cost != math.Trunc(cost) || cost > maxCost {
		return 0, fmt.Errorf("%s must be a whole number from 1 to %d", extensionCost, maxCost)
	}
	return int(cost), nil
}

// supportsKeys reports whether the operation supports Idempotency-Key.
func (op *Operation) supportsKeys(doc *openapi3.Operation) (bool, error) {
	takesKeys := op.header(HeaderIdempotencyKey) != nil
	switch setting := doc.Extensions[extensionIdempotency]; {
	case setting != nil && setting != noIdempotency:
		return false, fmt.Errorf("%s is %v and may only be %s", extensionIdempotency, setting, noIdempotency)
	case !takesKeys || setting == noIdempotency:
		return false, nil
	case op.Role == "" || op.Streams():
		return false, fmt.Errorf("%s: %s is required of operations that are public or stream", extensionIdempotency, noIdempotency)
	}
	return true, nil
}

// queryToken returns the query parameter that carries a token for the operation, or "".
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

// onBehalfOf returns the header that the operation accepts beside another security scheme, or nil.
func onBehalfOf(doc *openapi3.T, op *openapi3.Operation) (*openapi3.Parameter, error) {
	for _, alternative := range *op.Security {
		for name := range alternative {
			scheme := doc.Components.SecuritySchemes[name].Value
			if scheme.In != openapi3.ParameterInHeader {
				continue
			}
			source, err := json.Marshal(scheme.Extensions[extensionSchema])
			if err != nil {
				return nil, err
			}
			header := openapi3.NewHeaderParameter(scheme.Name).WithSchema(openapi3.NewSchema())
			if err := json.Unmarshal(source, header.Schema.Value); err != nil || header.Schema.Value.Type == nil {
				return nil, fmt.Errorf("security scheme %s needs the schema of its value as %s", name, extensionSchema)
			}
			return header, nil
		}
	}
	return nil, nil
}

// Streams reports whether the operation responds with a stream of events or lines, which is sent while it is made.
func (op *Operation) Streams() bool {
	return slices.Contains(op.produces, mediaTypeEventStream) || slices.Contains(op.produces, mediaTypeLines)
}
