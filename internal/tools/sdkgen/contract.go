package main

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/getkin/kin-openapi/openapi3"
)

// lastEventID is a query parameter for clients that cannot send the header Last-Event-ID. The SDKs send the header.
const lastEventID = "lastEventId"

// The union of the events of streams.
const eventUnion = "AIResponseEvent"

// contract is the data of the templates.
type contract struct {
	Version    string
	Operations []operation
	Events     []event
	// GoTypes are the Go types of Types, with the types of their fields. GoParams are the parameters of queries.
	GoTypes  []goType
	GoParams []goParams
}

// Paged returns the operations that return lists in pages.
func (c *contract) Paged() []operation {
	return c.where(func(o operation) bool { return o.Item != "" })
}

// Queried returns the operations with query parameters.
func (c *contract) Queried() []operation {
	return c.where(func(o operation) bool { return o.HasQuery })
}

// Types returns the components that the methods' signatures name, and those that the templates name themselves.
func (c *contract) Types() []string {
	used := map[string]bool{eventUnion: true, "Message": true, "TicketID": true}
	for _, o := range c.Operations {
		for _, name := range []string{o.Body, o.Item, o.Line, strings.TrimPrefix(o.Result, "[]")} {
			used[name] = true
		}
		for _, parameter := range o.PathParams {
			used[parameter.Type] = true
		}
	}
	delete(used, "")
	return slices.Sorted(maps.Keys(used))
}

// Unkeyed returns the operations that may be repeated although neither their method nor a key makes them repeatable.
func (c *contract) Unkeyed() []operation {
	return c.where(func(o operation) bool { return o.Method == http.MethodPost && o.Repeatable && !o.TakesKey })
}

// Unrepeatable returns the POST operations that must not be repeated.
func (c *contract) Unrepeatable() []operation {
	return c.where(func(o operation) bool { return o.Method == http.MethodPost && !o.Repeatable })
}

func (c *contract) where(is func(operation) bool) []operation {
	return slices.DeleteFunc(slices.Clone(c.Operations), func(o operation) bool { return !is(o) })
}

// event is one type of event in a stream.
type event struct {
	Kind   string // the discriminator's value
	Schema string // the generated type
}

// operation is one operation, with its names in the generated code.
type operation struct {
	ID, Method, Path     string
	Summary, Description string
	PathParams           []pathParam
	// HasParams: the generated request takes parameters. HasQuery: some of them belong to the query. NeedsQuery: one of
	// those is required.
	HasParams, HasQuery, NeedsQuery bool
	// Body and Result are types, or empty.
	Body, Result string
	// Item is the type of the items of a list with pages. Line is the type of each line of a response of JSON lines.
	Item, Line string
	Stream     bool
	// Public: the operation needs no token. TakesKey: it accepts an Idempotency-Key. Repeatable: it may be repeated
	// without harm, with the same result.
	Public, TakesKey, Repeatable bool
}

// ListOf returns the type of the items of a list without pages.
func (o operation) ListOf() string {
	if item, isList := strings.CutPrefix(o.Result, "[]"); isList {
		return item
	}
	return ""
}

// pathParam is a path parameter: its name in Go, its name in the contract, and its type.
type pathParam struct{ Name, Wire, Type string }

func readContract(file string) (*contract, error) {
	doc, err := openapi3.NewLoader().LoadFromFile(file)
	if err != nil {
		return nil, err
	}
	c := &contract{Version: doc.Info.Version}
	for _, path := range slices.Sorted(maps.Keys(doc.Paths.Map())) {
		item := doc.Paths.Find(path)
		for _, method := range slices.Sorted(maps.Keys(item.Operations())) {
			if item.GetOperation(method).Extensions["x-sdk"] == "none" {
				continue
			}
			o, err := readOperation(method, path, item, item.GetOperation(method))
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", method, path, err)
			}
			c.Operations = append(c.Operations, o)
		}
	}
	slices.SortFunc(c.Operations, func(a, b operation) int { return cmp.Compare(a.ID, b.ID) })
	union, known := doc.Components.Schemas[eventUnion]
	if !known || union.Value.Discriminator == nil {
		return nil, fmt.Errorf("%s is not a schema with a discriminator", eventUnion)
	}
	for kind, ref := range union.Value.Discriminator.Mapping {
		c.Events = append(c.Events, event{Kind: kind, Schema: base(ref.Ref)})
	}
	slices.SortFunc(c.Events, func(a, b event) int { return cmp.Compare(a.Kind, b.Kind) })
	return c, nil
}

func readOperation(method, path string, item *openapi3.PathItem, source *openapi3.Operation) (operation, error) {
	o := operation{
		ID: strings.ToUpper(source.OperationID[:1]) + source.OperationID[1:], Method: method, Path: path,
		Summary: sentence(source.Summary), Description: source.Description,
		Public: source.Security != nil && len(*source.Security) == 0,
	}
	paged := false
	for _, ref := range slices.Concat(item.Parameters, source.Parameters) {
		parameter := ref.Value
		switch parameter.In {
		case openapi3.ParameterInPath:
			if ref.Ref == "" {
				return o, fmt.Errorf("the parameter %s is not a component, so its type has no name", parameter.Name)
			}
			o.PathParams = append(o.PathParams, pathParam{
				Name: lowerFirst(base(ref.Ref)), Wire: parameter.Name, Type: base(ref.Ref),
			})
			continue
		case openapi3.ParameterInQuery:
			if parameter.Name == lastEventID {
				continue
			}
			o.HasQuery = true
			o.NeedsQuery = o.NeedsQuery || parameter.Required
			paged = paged || parameter.Name == "cursor"
		}
		o.HasParams = true
		o.TakesKey = o.TakesKey || parameter.Name == "Idempotency-Key" && source.Extensions["x-idempotency"] != "none"
	}
	o.Repeatable = o.TakesKey || source.Extensions["x-repeatable"] == true ||
		slices.Contains([]string{http.MethodGet, http.MethodPut, http.MethodDelete}, method)
	if err := o.readBody(source.RequestBody); err != nil {
		return o, err
	}
	return o, o.readResult(source.Responses, paged)
}

func (o *operation) readBody(body *openapi3.RequestBodyRef) error {
	if body == nil {
		return nil
	}
	media := body.Value.Content["application/json"]
	if media == nil {
		return fmt.Errorf("the body is not JSON")
	}
	o.Body = base(media.Schema.Ref)
	if o.Body == "" {
		o.Body = o.ID + "JSONRequestBody"
	}
	return nil
}

// readResult requires all successful responses to have the same type.
func (o *operation) readResult(responses *openapi3.Responses, paged bool) error {
	for _, status := range slices.Sorted(maps.Keys(responses.Map())) {
		content := responses.Value(status).Value.Content
		if status[0] != '2' || len(content) == 0 {
			continue
		}
		result, item := "", ""
		if stream := content["text/event-stream"]; stream != nil && base(stream.Schema.Ref) == eventUnion {
			o.Stream = true
			continue
		}
		if lines := content["application/x-ndjson"]; lines != nil && lines.Schema.Ref != "" {
			o.Line = base(lines.Schema.Ref)
			continue
		}
		if media := content["application/json"]; media != nil {
			result = base(media.Schema.Ref)
			if schema := media.Schema.Value; result == "" && schema.Items != nil && schema.Items.Ref != "" {
				item = base(schema.Items.Ref)
				result = "[]" + item
			}
		}
		if result == "" || o.Result != "" && o.Result != result {
			return fmt.Errorf("the response %s has no type that can be named, or another one than those before", status)
		}
		o.Result = result
		if paged {
			o.Item = item
		}
	}
	return nil
}

// sentence ends a title with a full stop.
func sentence(title string) string {
	if strings.HasSuffix(title, "?") {
		return title
	}
	return title + "."
}

// base returns the name of the component that a reference points to.
func base(ref string) string {
	if ref == "" {
		return ""
	}
	return path.Base(ref)
}

// lowerFirst turns an exported name into an argument's: AIResponseID is aiResponseID, TicketID is ticketID.
func lowerFirst(name string) string {
	runes := []rune(name)
	for i := range runes {
		if i > 0 && i+1 < len(runes) && unicode.IsLower(runes[i+1]) || !unicode.IsUpper(runes[i]) {
			break
		}
		runes[i] = unicode.ToLower(runes[i])
	}
	return string(runes)
}
