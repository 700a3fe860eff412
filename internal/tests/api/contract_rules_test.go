package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/testing/contracttest"
)

// schemaWalk visits each schema once, including nested ones.
type schemaWalk struct {
	seen  map[*openapi3.Schema]bool
	visit func(where string, s *openapi3.Schema)
}

func (w schemaWalk) walk(where string, ref *openapi3.SchemaRef) {
	if ref == nil || w.seen[ref.Value] {
		return
	}
	s := ref.Value
	w.seen[s] = true
	w.visit(where, s)
	for name, property := range s.Properties {
		w.walk(where+"/"+name, property)
	}
	for _, refs := range []openapi3.SchemaRefs{s.AllOf, s.OneOf, s.AnyOf} {
		for i, ref := range refs {
			w.walk(where+"/"+strconv.Itoa(i), ref)
		}
	}
	w.walk(where+"/items", s.Items)
	w.walk(where+"/additionalProperties", s.AdditionalProperties.Schema)
	w.walk(where+"/propertyNames", s.PropertyNames)
}

func (w schemaWalk) walkContent(where string, content openapi3.Content) {
	for mediaType, media := range content {
		w.walk(where+" "+mediaType, media.Schema)
	}
}

// walkDocument visits every schema of the contract.
func walkDocument(doc *openapi3.T, visit func(where string, s *openapi3.Schema)) {
	w := schemaWalk{seen: make(map[*openapi3.Schema]bool), visit: visit}
	for name, schema := range doc.Components.Schemas {
		w.walk(name, schema)
	}
	for name, parameter := range doc.Components.Parameters {
		w.walk(name, parameter.Value.Schema)
	}
	for name, header := range doc.Components.Headers {
		w.walk(name, header.Value.Schema)
	}
	for name, response := range doc.Components.Responses {
		w.walkContent(name, response.Value.Content)
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			where := method + " " + path
			for _, parameter := range append(item.Parameters, op.Parameters...) {
				w.walk(where+" "+parameter.Value.Name, parameter.Value.Schema)
			}
			if op.RequestBody != nil {
				w.walkContent(where, op.RequestBody.Value.Content)
			}
			for status, response := range op.Responses.Map() {
				w.walkContent(where+" "+status, response.Value.Content)
				for name, header := range response.Value.Headers {
					w.walk(where+" "+status+" "+name, header.Value.Schema)
				}
			}
		}
	}
}

func TestContractLimitsEveryValue(t *testing.T) {
	t.Parallel()
	visited := 0
	walkDocument(contracttest.Spec(t), func(where string, s *openapi3.Schema) {
		visited++
		for _, kind := range s.Type.Slice() {
			requireBounded(t, where, kind, s)
		}
		isFree := strings.Contains(where, "ClientMessage/") || strings.Contains(where, "/messages/items/")
		if s.Type == nil && !isFree { // Messages of chat clients are checked as new messages.
			require.NotEmpty(t, append(append(s.AllOf, s.OneOf...), s.AnyOf...), "%s: a schema must restrict its values", where)
		}
	})
	require.Greater(t, visited, 60)
}

// requireBounded checks that a schema limits its values of one type.
func requireBounded(t *testing.T, where, kind string, s *openapi3.Schema) {
	t.Helper()
	switch kind {
	case "string":
		require.True(t, s.MaxLength != nil || len(s.Enum) > 0, "%s: a string needs maxLength or enum", where)
		for _, value := range s.Enum {
			require.IsType(t, "", value, where)
		}
	case "array":
		require.NotNil(t, s.MaxItems, "%s: an array needs maxItems", where)
		require.NotNil(t, s.Items, "%s: an array needs items", where)
	case "integer", "number":
		require.NotNil(t, s.Min, "%s: a number needs minimum", where)
		require.NotNil(t, s.Max, "%s: a number needs maximum", where)
	case "object":
		if isMap(s) {
			require.NotNil(t, s.MaxProps, "%s: a map needs maxProperties", where)
			require.NotNil(t, s.PropertyNames, "%s: a map needs propertyNames", where)
			return
		}
		require.NotEmpty(t, s.Properties, "%s: an object needs properties", where)
	case "boolean", "null":
	default:
		require.Fail(t, "this test has no rule for the type", "%s: %s", where, kind)
	}
}

// isMap reports whether a schema describes objects whose members the callers name.
func isMap(s *openapi3.Schema) bool { return s.AdditionalProperties.Schema != nil }

func TestRequestBodiesRefuseUndeclaredMembers(t *testing.T) {
	t.Parallel()
	objects := 0
	w := schemaWalk{seen: make(map[*openapi3.Schema]bool)}
	w.visit = func(where string, s *openapi3.Schema) {
		if !s.Type.Is("object") || isMap(s) {
			return
		}
		objects++
		require.NotNil(t, s.AdditionalProperties.Has, "%s: additionalProperties is missing", where)
		require.False(t, *s.AdditionalProperties.Has, where)
		require.Nil(t, s.AdditionalProperties.Schema, where)
	}
	for _, o := range specOperations(t) {
		if o.RequestBody != nil {
			require.True(t, o.RequestBody.Value.Required, o.OperationID)
			if o.how.ticketIn != "" {
				requireOpen(t, o)
				continue
			}
			w.walkContent(o.OperationID, o.RequestBody.Value.Content)
		}
	}
	require.GreaterOrEqual(t, objects, 6)
}

// requireOpen checks that the body of an operation for chat clients accepts any members and states its size limit.
func requireOpen(t *testing.T, o specOperation) {
	t.Helper()
	schema := o.RequestBody.Value.Content["application/json"].Schema.Value
	require.True(t, *schema.AdditionalProperties.Has, o.OperationID)
	require.True(t, *schema.Properties["messages"].Value.Items.Value.AdditionalProperties.Has, o.OperationID)
	require.NotNil(t, schema.Extensions["x-max-bytes"], o.OperationID)
}

func TestEveryOperationHasSecurityRequirements(t *testing.T) {
	t.Parallel()
	doc := contracttest.Spec(t)
	require.Empty(t, doc.Security, "security must not have a default")
	for _, o := range specOperations(t) {
		require.NotNil(t, o.Security, o.OperationID)
		for _, alternative := range *o.Security {
			require.NotEmpty(t, alternative, "%s: {} would admit everybody", o.OperationID)
			for scheme, roles := range alternative {
				require.Contains(t, doc.Components.SecuritySchemes, scheme, o.OperationID)
				require.Len(t, roles, 1, o.OperationID)
				require.Equal(t, string(o.role), roles[0], "%s: the alternatives differ", o.OperationID)
				require.Contains(t, []sqlc.UserRole{sqlc.UserRoleUser, sqlc.UserRoleAgent, sqlc.UserRoleAdmin}, o.role)
			}
		}
		if o.role != "" {
			require.NotNil(t, o.Responses.Value("401"), "%s: 401 is not declared", o.OperationID)
			require.NotNil(t, o.Responses.Value("403"), "%s: 403 is not declared", o.OperationID)
		}
		if len(o.pathParameters) > 0 {
			require.NotNil(t, o.Responses.Value("404"), "%s: 404 is not declared", o.OperationID)
		}
	}
}

func TestEveryOperationHasAScope(t *testing.T) {
	t.Parallel()
	asked := []any{"any", "none"}
	for _, scope := range contracttest.Spec(t).Components.Schemas["Scope"].Value.Enum {
		require.Equal(t, scope != "on_behalf", auth.Scope(fmt.Sprint(scope)).IsRequirable(), scope)
		if scope != "on_behalf" {
			asked = append(asked, scope)
		}
	}
	for _, o := range specOperations(t) {
		if o.role == "" {
			require.Nil(t, o.Extensions["x-scope"], "%s: a public operation needs no scope", o.OperationID)
			require.False(t, o.actsForCustomers(), o.OperationID)
			continue
		}
		require.NotEmpty(t, o.scopes, o.OperationID)
		for _, scope := range o.scopes {
			require.Contains(t, asked, any(string(scope)), o.OperationID)
		}
		forCustomers := !slices.Contains(o.scopes, auth.NoScope) && o.role == sqlc.UserRoleUser
		require.Equal(t, forCustomers, o.actsForCustomers(), "%s: keys may do what customers may", o.OperationID)
		if strings.HasPrefix(o.template, "/auth/") || strings.HasPrefix(o.template, "/api-keys") || o.template == "/me/password" {
			require.Equal(t, []auth.Scope{auth.NoScope}, o.scopes, o.OperationID)
		}
	}
}

func TestEveryPostTakesAnIdempotencyKey(t *testing.T) {
	t.Parallel()
	for _, o := range specOperations(t) {
		key := o.Parameters.GetByInAndName(openapi3.ParameterInHeader, "Idempotency-Key")
		if o.method != http.MethodPost {
			require.Nil(t, key, "%s: %s is idempotent already", o.OperationID, o.method)
			continue
		}
		require.NotNil(t, key, o.OperationID)
		require.False(t, key.Required, o.OperationID)
		require.NotNil(t, o.Responses.Value("400"), o.OperationID)
		replays := o.Extensions["x-idempotency"] != "none"
		for _, status := range o.successes(t) {
			header := o.Responses.Status(status).Value.Headers["Idempotency-Replayed"]
			require.Equal(t, replays, header != nil, "%s %d", o.OperationID, status)
		}
		if !replays {
			description := strings.Join(strings.Fields(o.Description), " ")
			require.Contains(t, description, "`Idempotency-Key` has no effect here", o.OperationID)
			continue
		}
		require.NotEmpty(t, o.role, "%s: keys belong to somebody", o.OperationID)
		for status, code := range map[string]string{"409": "idempotency_in_progress", "422": "idempotency_mismatch"} {
			require.NotNil(t, o.Responses.Value(status), "%s: %s is not declared", o.OperationID, status)
			problem := o.Responses.Value(status).Value.Content["application/problem+json"]
			require.Contains(t, problem.Examples, code, o.OperationID)
		}
	}
}

// A request that is generated from the contract must not be refused because of its characters.
func TestEveryTextHasAPattern(t *testing.T) {
	t.Parallel()
	var check func(where string, s *openapi3.Schema)
	check = func(where string, s *openapi3.Schema) {
		if open := s.AdditionalProperties.Has; open != nil && *open {
			return // The server checks the contents of open bodies where it uses them.
		}
		for name, property := range s.Properties {
			check(where+" /"+name, property.Value)
		}
		for _, ref := range []*openapi3.SchemaRef{s.Items, s.AdditionalProperties.Schema, s.PropertyNames} {
			if ref != nil {
				check(where, ref.Value)
			}
		}
		if s.Type.Includes("string") && len(s.Enum) == 0 {
			require.Regexp(t, `^\^.*\$$`, s.Pattern, where)
			require.Error(t, s.VisitJSON(strings.Repeat("x\u0001", 20)), where)
			require.NotNil(t, s.MaxLength, where)
		}
	}
	for _, o := range specOperations(t) {
		if o.RequestBody != nil {
			for mediaType, media := range o.RequestBody.Value.Content {
				check(o.OperationID+" "+mediaType, media.Schema.Value)
			}
		}
		for _, p := range o.Parameters {
			if p.Value.In == openapi3.ParameterInQuery && p.Value.Name != "lastEventId" { // An unknown one is ignored.
				check(o.OperationID+" "+p.Value.Name, p.Value.Schema.Value)
			}
		}
	}
}

// API explorers fill examples in. No example fits a header that must be fresh or that changes the caller, or an id.
func TestNoHeaderOrIDHasAnExample(t *testing.T) {
	t.Parallel()
	for name, p := range contracttest.Spec(t).Components.Parameters {
		if p.Value.In != openapi3.ParameterInQuery {
			require.Nil(t, p.Value.Example, name)
			require.Empty(t, p.Value.Examples, name)
		}
	}
}

func TestEveryGetOfJSONHasAnETag(t *testing.T) {
	t.Parallel()
	for _, o := range specOperations(t) {
		list := o.Parameters.GetByInAndName(openapi3.ParameterInHeader, "If-None-Match")
		if o.method != http.MethodGet || o.role == "" || o.streams(t) {
			require.Nil(t, list, o.OperationID)
			require.Nil(t, o.Responses.Value("304"), o.OperationID)
			continue
		}
		require.NotNil(t, list, o.OperationID)
		for _, status := range []string{"200", "304"} {
			require.NotNil(t, o.Responses.Value(status), "%s: %s is not declared", o.OperationID, status)
			require.NotNil(t, o.Responses.Value(status).Value.Headers["ETag"], "%s %s", o.OperationID, status)
		}
	}
}

func TestEveryRefusalCarriesAChallenge(t *testing.T) {
	t.Parallel()
	for _, o := range specOperations(t) {
		if unauthorized := o.Responses.Value("401"); unauthorized != nil {
			challenge := unauthorized.Value.Headers["WWW-Authenticate"]
			require.NotNil(t, challenge, o.OperationID)
			require.True(t, challenge.Value.Required, o.OperationID)
		}
	}
}
