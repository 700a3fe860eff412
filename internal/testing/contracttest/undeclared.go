package contracttest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// generalHeaders are the headers that every response may have: those of the transport, of the whole server, and of
// proxies.
var generalHeaders = []string{
	"Cache-Control", "Connection", "Content-Length", "Content-Security-Policy", "Content-Type",
	"Cross-Origin-Resource-Policy", "Date", "Ratelimit", "Ratelimit-Policy", "Referrer-Policy", "Strict-Transport-Security",
	"Vary", "X-Accel-Buffering", "X-Content-Type-Options", "X-Frame-Options", "X-Request-Id",
}

// undeclaredHeaders returns the headers that are neither declared for the response nor general.
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

// faults are pointers to members of a JSON text that the caller should not have received.
type faults struct {
	// undeclared members are not in the schema. The schemas are open, because later servers may add members, but this
	// server must not have any others.
	undeclared []string
	// staffOnly members are for staff.
	staffOnly []string
}

// membersOf checks the members of a value, at any depth.
func membersOf(schema *openapi3.SchemaRef, value any) faults {
	var f faults
	f.add(schema, value, "")
	return f
}

func (f *faults) add(schema *openapi3.SchemaRef, value any, at string) {
	switch value := value.(type) {
	case []any:
		for i, item := range value {
			f.add(schema.Value.Items, item, at+"/"+strconv.Itoa(i))
		}
	case map[string]any:
		known := make(map[string]*openapi3.SchemaRef)
		collectMembers(schema.Value, value, known)
		for name, member := range value {
			at := at + "/" + name
			if known[name] == nil {
				f.undeclared = append(f.undeclared, at)
				continue
			}
			if isStaffOnly(known[name]) {
				f.staffOnly = append(f.staffOnly, at)
			}
			f.add(known[name], member, at)
		}
	}
}

// isStaffOnly reports whether a member is marked x-visibility: staff, beside a $ref or within its schema.
func isStaffOnly(member *openapi3.SchemaRef) bool {
	return member.Extensions["x-visibility"] == "staff" || member.Value.Extensions["x-visibility"] == "staff"
}

// collectMembers collects the members that an object of the schema may have, and with several kinds of object, those of
// the value's kind.
func collectMembers(s *openapi3.Schema, value map[string]any, known map[string]*openapi3.SchemaRef) {
	for name, property := range s.Properties {
		known[name] = property
	}
	if others := s.AdditionalProperties.Schema; others != nil {
		for name := range value {
			known[name] = others
		}
	}
	for _, part := range slices.Concat(s.AllOf, s.AnyOf) {
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
