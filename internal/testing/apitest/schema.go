package apitest

import (
	"bytes"
	"fmt"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/supportbackend/support/gen/api"
)

// schemas are the contract's schemas of response bodies, each compiled when it is first needed. They follow JSON Schema
// 2020-12, as OpenAPI 3.1 does, and are read by another library than the product's.
var schemas = struct {
	sync.Mutex
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema
}{compiled: make(map[string]*jsonschema.Schema)}

// bodyOf names the schema of a response's body: where the response stands in the document, and the media type.
type bodyOf struct {
	path, method string
	status       int
	// shared is the reference to a response that many operations have; empty for one that stands at the operation.
	shared, contentType string
}

// location is the JSON pointer (RFC 6901) of the schema, in a URI fragment.
func (b bodyOf) location() string {
	escape := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D")
	response := b.shared
	if response == "" {
		response = fmt.Sprintf("#/paths/%s/%s/responses/%d", escape.Replace(b.path), strings.ToLower(b.method), b.status)
	}
	return response + "/content/" + escape.Replace(b.contentType) + "/schema"
}

// validate validates a body against the schema.
func (b bodyOf) validate(body []byte) error {
	schema, err := b.schema()
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

func (b bodyOf) schema() (*jsonschema.Schema, error) {
	const document = "contract.json"
	schemas.Lock()
	defer schemas.Unlock()
	if schemas.compiler == nil {
		text, err := api.GetSpecJSON()
		if err != nil {
			return nil, err
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return nil, err
		}
		schemas.compiler = jsonschema.NewCompiler()
		schemas.compiler.AssertFormat()
		if err := schemas.compiler.AddResource(document, value); err != nil {
			return nil, err
		}
	}
	location := b.location()
	if schema := schemas.compiled[location]; schema != nil {
		return schema, nil
	}
	schema, err := schemas.compiler.Compile(document + location)
	if err == nil {
		schemas.compiled[location] = schema
	}
	return schema, err
}
