// Command requests writes the part of the contract against which requests are checked: operations without responses,
// and schemas without descriptions. It is a fifth of the whole contract, and the server reads it in a fifth of the
// time.
//
//	go run -C internal/tools ./requests ../../openapi.yaml ../../gen/api/requests.json
package main

import (
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// unread are extensions that do not concern requests.
var unread = []string{
	"x-events", "x-go-name", "x-go-type", "x-go-type-skip-optional-pointer", "x-repeatable", "x-sdk", "x-visibility",
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: requests OPENAPI_YAML OUTPUT_JSON")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "requests:", err)
		os.Exit(1)
	}
}

func run(spec, out string) error {
	doc, err := openapi3.NewLoader().LoadFromFile(spec)
	if err != nil {
		return err
	}
	w := walk{openapi3.Components{
		Schemas: make(openapi3.Schemas), Parameters: make(openapi3.ParametersMap), SecuritySchemes: doc.Components.SecuritySchemes,
	}}
	for _, item := range doc.Paths.Map() {
		w.item(item)
	}
	doc = &openapi3.T{OpenAPI: doc.OpenAPI, Info: doc.Info, Paths: doc.Paths, Components: &w.met}
	for _, scheme := range doc.Components.SecuritySchemes {
		scheme.Value.Description = ""
	}
	text, err := doc.MarshalJSON()
	if err != nil {
		return err
	}
	return os.WriteFile(out, append(text, '\n'), 0o644)
}

// walk removes everything that does not concern requests.
type walk struct {
	// met are the components that it has visited.
	met openapi3.Components
}

func (w *walk) item(item *openapi3.PathItem) {
	item.Summary, item.Description = "", ""
	w.parameters(item.Parameters)
	for _, op := range item.Operations() {
		op.Tags, op.Summary, op.Description, op.ExternalDocs = nil, "", "", nil
		drop(op.Extensions)
		w.parameters(op.Parameters)
		if op.RequestBody != nil {
			op.RequestBody.Ref, op.RequestBody.Value.Description = "", ""
			w.content(op.RequestBody.Value.Content)
		}
		for status, response := range op.Responses.Map() {
			op.Responses.Set(status, &openapi3.ResponseRef{Value: emptied(status, response.Value)})
		}
	}
}

// emptied returns a response with nothing but the media types of a success.
func emptied(status string, response *openapi3.Response) *openapi3.Response {
	content := make(openapi3.Content)
	if strings.HasPrefix(status, "2") {
		for mediaType := range response.Content {
			content[mediaType] = &openapi3.MediaType{}
		}
	}
	return openapi3.NewResponse().WithDescription("").WithContent(content)
}

func (w *walk) parameters(parameters openapi3.Parameters) {
	for _, p := range parameters {
		if p.Ref != "" {
			w.met.Parameters[path.Base(p.Ref)] = &openapi3.ParameterRef{Value: p.Value}
		}
		p.Value.Description, p.Value.Example, p.Value.Examples = "", nil, nil
		w.schema(p.Value.Schema)
	}
}

func (w *walk) content(content openapi3.Content) {
	for _, body := range content {
		body.Example, body.Examples = nil, nil
		w.schema(body.Schema)
	}
}

func (w *walk) schema(ref *openapi3.SchemaRef) {
	if ref == nil {
		return
	}
	ref.Extensions = nil
	s := ref.Value
	if ref.Ref != "" {
		name := path.Base(ref.Ref)
		if w.met.Schemas[name] != nil {
			return
		}
		w.met.Schemas[name] = &openapi3.SchemaRef{Value: s}
	}
	s.Title, s.Description, s.Example, s.Examples, s.ExternalDocs = "", "", nil, nil, nil
	drop(s.Extensions)
	for _, part := range slices.Concat(
		s.OneOf, s.AnyOf, s.AllOf, slices.Collect(maps.Values(s.Properties)),
		openapi3.SchemaRefs{s.Not, s.Items, s.AdditionalProperties.Schema, s.PropertyNames},
	) {
		w.schema(part)
	}
}

func drop(extensions map[string]any) {
	for _, name := range unread {
		delete(extensions, name)
	}
}
