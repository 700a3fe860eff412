package apitest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// generalHeaders are those that any response may have, whatever its operation: of the transport, of the server as a whole,
// and of what stands between.
var generalHeaders = []string{
	"Cache-Control", "Connection", "Content-Length", "Content-Security-Policy", "Content-Type",
	"Cross-Origin-Resource-Policy", "Date", "Ratelimit", "Ratelimit-Policy", "Referrer-Policy", "Strict-Transport-Security",
	"Vary", "X-Accel-Buffering", "X-Content-Type-Options", "X-Frame-Options", "X-Request-Id",
}

// undeclaredHeaders returns the headers that neither the response's declaration nor the whole server has.
func undeclaredHeaders(declared *openapi3.Response, header http.Header) (names []string) {
	known := slices.Clone(generalHeaders)
	for name := range declared.Headers {
		known = append(known, http.CanonicalHeaderKey(name))
	}
	for name := range header {
		if !slices.Contains(known, name) && !strings.HasPrefix(name, "Access-Control-") {
			names = append(names, name)
		}
	}
	return names
}

// undeclaredMembers returns pointers to the members of a JSON text that its schema does not name. Clients are told to
// expect further ones from later servers, so the schemas are open; this server must not have any.
func undeclaredMembers(schema *openapi3.SchemaRef, text []byte) ([]string, error) {
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return nil, err
	}
	return undeclaredWithin(schema, value, ""), nil
}

func undeclaredWithin(schema *openapi3.SchemaRef, value any, at string) (pointers []string) {
	switch value := value.(type) {
	case []any:
		for i, item := range value {
			pointers = append(pointers, undeclaredWithin(schema.Value.Items, item, at+"/"+strconv.Itoa(i))...)
		}
	case map[string]any:
		known := make(map[string]*openapi3.SchemaRef)
		collectMembers(schema.Value, value, known)
		for name, member := range value {
			if known[name] == nil {
				pointers = append(pointers, at+"/"+name)
				continue
			}
			pointers = append(pointers, undeclaredWithin(known[name], member, at+"/"+name)...)
		}
	}
	return pointers
}

// collectMembers collects what an object of the schema may have; of several kinds of object, of the value's own.
func collectMembers(s *openapi3.Schema, value map[string]any, known map[string]*openapi3.SchemaRef) {
	for name, property := range s.Properties {
		known[name] = property
	}
	for _, part := range s.AllOf {
		collectMembers(part.Value, value, known)
	}
	if s.Discriminator == nil {
		return
	}
	name := s.Discriminator.Mapping[fmt.Sprint(value[s.Discriminator.PropertyName])].Ref
	for _, kind := range s.OneOf {
		if kind.Ref == name {
			collectMembers(kind.Value, value, known)
		}
	}
}
