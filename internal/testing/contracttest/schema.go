package contracttest

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/supportbackend/support/gen/api"
)

// schemas are the contract's schemas by place, each compiled on first use. They follow JSON Schema 2020-12, like OpenAPI
// 3.1, and use another library than the product.
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

// escape escapes a token of a JSON pointer (RFC 6901) in a URI fragment.
var escape = strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D")

// place returns the JSON pointer of the schema as a URI fragment.
func (b bodyOf) place() string {
	response := b.shared
	if response == "" {
		response = fmt.Sprintf("#/paths/%s/%s/responses/%d", escape.Replace(b.path), strings.ToLower(b.method), b.status)
	}
	return response + "/content/" + escape.Replace(b.contentType) + "/schema"
}

// validate validates a value that jsonschema.UnmarshalJSON has read against the schema at a place of the contract.
func validate(place string, value any) error {
	schema, err := schemaAt(place)
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

func schemaAt(place string) (*jsonschema.Schema, error) {
	const document = "contract.json"
	schemas.Lock()
	defer schemas.Unlock()
	if schema := schemas.compiled[place]; schema != nil {
		return schema, nil
	}
	if schemas.compiler == nil {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(api.SpecJSON))
		if err != nil {
			return nil, err
		}
		schemas.compiler = jsonschema.NewCompiler()
		schemas.compiler.AssertFormat()
		if err := schemas.compiler.AddResource(document, value); err != nil {
			return nil, err
		}
	}
	schema, err := schemas.compiler.Compile(document + place)
	if err == nil {
		schemas.compiled[place] = schema
	}
	return schema, err
}

// validateHeader validates a response's header against its declaration, one of the shared headers.
func validateHeader(name string, declared *openapi3.HeaderRef, header http.Header) error {
	if len(header.Values(name)) == 0 {
		if declared.Value.Required {
			return errors.New("it is missing")
		}
		return nil
	}
	value := any(header.Get(name))
	if !declared.Value.Schema.Value.Type.Is(openapi3.TypeString) {
		var err error
		if value, err = jsonschema.UnmarshalJSON(strings.NewReader(header.Get(name))); err != nil {
			return err
		}
	}
	return validate("#/components/headers/"+path.Base(declared.Ref)+"/schema", value)
}
