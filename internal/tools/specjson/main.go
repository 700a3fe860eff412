// Command specjson writes the contract as JSON in a folder: all of it (openapi.json), its title, version and description
// (info.json), and the part against which requests are checked (requests.json), operations without responses and schemas
// without descriptions. That part is a sixth of the whole, and the server reads it in a fraction of the time.
//
//	go run -C internal/tools ./specjson ../../openapi.yaml ../../gen/api
package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// unread are extensions that do not concern requests.
var unread = []string{
	"x-codeSamples", "x-events", "x-go-name", "x-go-type", "x-go-type-skip-optional-pointer", "x-repeatable", "x-sdk", "x-visibility",
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: specjson OPENAPI_YAML FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "specjson:", err)
		os.Exit(1)
	}
}

func run(spec, folder string) error {
	doc, err := openapi3.NewLoader().LoadFromFile(spec)
	if err != nil {
		return err
	}
	if err := write(filepath.Join(folder, "openapi.json"), doc); err != nil {
		return err
	}
	if err := write(filepath.Join(folder, "info.json"), doc.Info); err != nil {
		return err
	}
	w := walk{openapi3.Components{
		Schemas: make(openapi3.Schemas), Parameters: make(openapi3.ParametersMap), SecuritySchemes: doc.Components.SecuritySchemes,
	}}
	for _, item := range doc.Paths.Map() {
		w.item(item)
	}
	info := &openapi3.Info{Title: doc.Info.Title, Version: doc.Info.Version}
	doc = &openapi3.T{OpenAPI: doc.OpenAPI, Info: info, Paths: doc.Paths, Components: &w.met}
	for _, scheme := range doc.Components.SecuritySchemes {
		scheme.Value.Description = ""
	}
	return write(filepath.Join(folder, "requests.json"), doc)
}

func write(file string, part json.Marshaler) error {
	text, err := part.MarshalJSON()
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
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
			if !concerns(status) {
				op.Responses.Delete(status)
				continue
			}
			op.Responses.Set(status, &openapi3.ResponseRef{Value: emptied(status, response.Value)})
		}
	}
}

// concerns reports whether requests are checked against the presence of a status: a success has media types, and the
// others say whether the operation is versioned or limited.
func concerns(status string) bool { return isSuccess(status) || status == "304" || status == "429" }

func isSuccess(status string) bool { return strings.HasPrefix(status, "2") }

// emptied returns a response with nothing but the media types of a success.
func emptied(status string, response *openapi3.Response) *openapi3.Response {
	content := make(openapi3.Content)
	for mediaType := range response.Content {
		if isSuccess(status) {
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
