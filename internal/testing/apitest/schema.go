package apitest

import (
	"bytes"
	"fmt"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/supportbackend/support/gen/api"
)

// schemas are the contract's schemas of response bodies, each compiled on first use. They follow JSON Schema 2020-12,
// like OpenAPI 3.1, and use another library than the product.
var schemas = struct {
	sync.Mutex
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema
}{compiled: make(map[string]*jsonschema.Schema)}

// bodyOf identifies the schema of a response's body: the response's place in the document, and the media type.
type bodyOf struct {
	path, method string
	status       int
	// shared is the reference to a shared response, or empty for a response of the operation itself.
	shared, contentType string
}

// location returns the JSON pointer (RFC 6901) of the schema as a URI fragment.
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
