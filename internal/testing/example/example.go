// Package example takes valid requests from the contract's examples, so that tests need no list of valid bodies.
package example

import (
	"fmt"
	"maps"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// Body returns an operation's JSON body from the contract's example with a name, or the first example. It is nil if the
// operation has no JSON body.
func Body(o *openapi3.Operation, name string) map[string]any {
	if o.RequestBody == nil || o.RequestBody.Value.Content["application/json"] == nil {
		return nil
	}
	examples := o.RequestBody.Value.Content["application/json"].Examples
	if name == "" {
		name = slices.Min(slices.Collect(maps.Keys(examples)))
	}
	if examples[name] == nil {
		panic(fmt.Sprintf("example: %s has no example %q", o.OperationID, name))
	}
	body, ok := examples[name].Value.Value.(map[string]any)
	if !ok {
		panic(fmt.Sprintf("example: %q of %s is not an object", name, o.OperationID))
	}
	return maps.Clone(body)
}

// Least returns Body with the required members only, or with one member if the operation requires any one.
func Least(o *openapi3.Operation) map[string]any {
	schema, body := o.RequestBody.Value.Content["application/json"].Schema.Value, Body(o, "")
	names := schema.Required
	if len(names) == 0 && schema.MinProps > 0 {
		names = []string{slices.Min(slices.Collect(maps.Keys(body)))}
	}
	maps.DeleteFunc(body, func(name string, _ any) bool { return !slices.Contains(names, name) })
	return body
}
