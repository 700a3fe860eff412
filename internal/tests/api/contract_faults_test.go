package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/httpapi/contract"
)

// faults returns the ways to break a request. Each breaks it and returns the expected status.
func (f *fuzzed) faults(r *rapid.T, valid fuzzRequest) map[string]func(*fuzzRequest) int {
	faults := map[string]func(*fuzzRequest) int{
		"an unknown parameter": func(q *fuzzRequest) int {
			q.query.Set("unknown", "1")
			return http.StatusBadRequest
		},
		"another method": func(q *fuzzRequest) int {
			q.method = rapid.SampledFrom(f.otherMethods()).Draw(r, "method")
			return http.StatusMethodNotAllowed
		},
	}
	if f.Responses.Status(http.StatusNotAcceptable) != nil {
		faults["another media type wanted"] = func(q *fuzzRequest) int {
			q.header.Set("Accept", "image/png")
			return http.StatusNotAcceptable
		}
	}
	for i, id := range f.pathParameters {
		if member := f.how.ticketIn; member != "" {
			faults["an unknown "+id] = func(q *fuzzRequest) int {
				q.body = changeMember(q.body, member, uuid.NewString())
				return http.StatusNotFound
			}
			continue
		}
		faults["an unknown "+id] = func(q *fuzzRequest) int {
			other := rapid.SampledFrom([]string{uuid.NewString(), strings.ToUpper(f.ids[i]) + "A", "1", f.ids[i][1:]}).Draw(r, id)
			q.path = strings.Replace(q.path, f.ids[i], other, 1)
			return http.StatusNotFound
		}
	}
	f.addParameterFaults(faults)
	f.addCallerFaults(faults)
	if valid.body != nil && !valid.form {
		f.addBodyFaults(faults, valid.body)
	}
	return faults
}

func (f *fuzzed) otherMethods() []string {
	methods := []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"}
	return slices.DeleteFunc(methods, func(m string) bool { return f.item.Operations()[m] != nil })
}

func (f *fuzzed) addParameterFaults(faults map[string]func(*fuzzRequest) int) {
	for _, p := range f.parameters() {
		for name, value := range invalidValues(p.Schema) {
			if p.In == openapi3.ParameterInHeader && name == "against the pattern" {
				value = "ä b"
			}
			faults[p.Name+" "+name] = func(q *fuzzRequest) int {
				q.set(p, fmt.Sprint(value))
				return http.StatusBadRequest
			}
		}
		if p.In == openapi3.ParameterInQuery {
			faults[p.Name+" twice"] = func(q *fuzzRequest) int {
				q.query[p.Name] = []string{"1", "1"}
				return http.StatusBadRequest
			}
		}
	}
}

// addCallerFaults adds callers who may not call the operation.
func (f *fuzzed) addCallerFaults(faults map[string]func(*fuzzRequest) int) {
	as := func(token string, status int) func(*fuzzRequest) int {
		return func(q *fuzzRequest) int {
			q.token = token
			return status
		}
	}
	if f.role == "" {
		return
	}
	faults["nobody"] = as("", http.StatusUnauthorized)
	faults["a token that is cut"] = as(f.caller.Token[:len(f.caller.Token)-1], http.StatusUnauthorized)
	switch f.role {
	case sqlc.UserRoleAdmin:
		faults["a lesser role"] = as(f.agent.Token, http.StatusForbidden)
		return
	case sqlc.UserRoleAgent:
		faults["a lesser role"] = as(f.owner.Token, http.StatusForbidden)
		return
	}
	if len(f.pathParameters) > 0 {
		faults["somebody else"] = as(f.other.Token, http.StatusNotFound)
	}
}

// addBodyFaults adds the faults of JSON bodies.
func (f *fuzzed) addBodyFaults(faults map[string]func(*fuzzRequest) int, valid map[string]any) {
	schema := f.RequestBody.Value.Content["application/json"].Schema.Value
	with := func(member string, value any) func(*fuzzRequest) int {
		return func(q *fuzzRequest) int {
			q.body = changeMember(valid, member, value)
			return http.StatusUnprocessableEntity
		}
	}
	for _, member := range schema.Required {
		faults[member+" missing"] = with(member, nil)
	}
	for member, ref := range schema.Properties {
		faults[member+" of another type"] = with(member, wronglyTyped(ref.Value))
		if !ref.Value.Type.Includes("null") {
			faults[member+" null"] = with(member, json.RawMessage("null"))
		}
		for name, value := range invalidValues(ref) {
			faults[member+" "+name] = with(member, value)
		}
		if ref.Value.MinLength > 0 {
			faults[member+" empty"] = with(member, "")
		}
	}
	if !*schema.AdditionalProperties.Has {
		faults["an unknown member"] = with("unknown", true)
	}
	sending := func(text, mediaType string, status int) func(*fuzzRequest) int {
		return func(q *fuzzRequest) int {
			q.text = text
			q.header.Set("Content-Type", mediaType)
			return status
		}
	}
	faults["an array"] = sending("[]", "application/json", http.StatusUnprocessableEntity)
	faults["no JSON"] = sending(`{"a":`, "application/json", http.StatusBadRequest)
	faults["another media type"] = sending("text", "text/plain", http.StatusUnsupportedMediaType)
	// All faults are listed for each request, and only this one needs such a text.
	faults["a large body"] = func(q *fuzzRequest) int {
		return sending(pad("{", int(contract.BodyLimit(schema))+1), "application/json", http.StatusRequestEntityTooLarge)(q)
	}
}
