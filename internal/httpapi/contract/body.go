package contract

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/supportbackend/support/internal/apperr"
)

const (
	mediaTypeJSON = "application/json"
	mediaTypeForm = "application/x-www-form-urlencoded"

	// maxContentType limits the Content-Type header, in bytes.
	maxContentType = 255
)

// body is the schema and the size limit of an operation's body in one media type.
type body struct {
	schema *openapi3.Schema
	limit  int64
}

// MediaTypes returns the media types of the bodies that the operation accepts, sorted; none when it accepts no body.
func (op *Operation) MediaTypes() []string { return slices.Sorted(maps.Keys(op.bodies)) }

// CheckBody reads the whole body and validates it against the operation's schema for its media type. The generated code
// binds the validated value and does not parse the text again. unread reports that a part of the body was left unread.
// The body of an operation that accepts none is ignored.
//
// It returns UnsupportedMediaType, PayloadTooLarge, MalformedRequest for a body that cannot be parsed, and
// ValidationFailed with at most MaxFaults places that break the contract.
func (op *Operation) CheckBody(r *http.Request) (unread bool, err error) {
	if len(op.bodies) == 0 {
		return false, nil
	}
	mediaType, body, err := op.bodyOf(r)
	if err != nil {
		return false, err
	}
	text, err := body.read(r)
	if err != nil {
		return true, err
	}
	content, err := decode(mediaType, text, body.schema)
	if err != nil {
		return false, err
	}
	faults := content.faults
	if content.whole {
		faults = op.validator.validate(body.schema, content.value, faults...)
	}
	if len(faults) > 0 {
		return false, apperr.Invalid(faults...)
	}
	// The generated code compares the header verbatim.
	r.Header.Set("Content-Type", mediaType)
	r.Body = &validatedBody{Reader: bytes.NewReader(text), text: text, value: content.value}
	return false, nil
}

// TakeMember checks a text as a member of the operation's JSON body and returns the normalized text, or the rule that
// it breaks. It serves text that arrives in another program's format.
func (op *Operation) TakeMember(name, text string) (string, apperr.FieldCode) {
	schema := op.bodies[mediaTypeJSON].schema.Properties[name].Value
	if text = textFor(schema, text); !isText(text) {
		return "", apperr.InvalidCharacters
	}
	if faults := op.validator.validate(schema, text); len(faults) > 0 {
		return "", faults[0].Code
	}
	return text, ""
}

// bodyOf returns the operation's body for the request's media type. It returns UnsupportedMediaType.
func (op *Operation) bodyOf(r *http.Request) (string, body, error) {
	unsupported := apperr.New(apperr.UnsupportedMediaType, "The operation does not accept this media type.")
	codings := strings.Join(r.Header.Values("Content-Encoding"), ",")
	if codings != "" && !strings.EqualFold(codings, "identity") {
		unsupported.Detail = "Content codings are not accepted: send the body as it is."
		return "", body{}, unsupported
	}
	contentTypes := r.Header.Values("Content-Type")
	if len(contentTypes) != 1 || len(contentTypes[0]) > maxContentType {
		return "", body{}, unsupported
	}
	mediaType, params, err := mime.ParseMediaType(contentTypes[0])
	if err != nil {
		return "", body{}, unsupported
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		unsupported.Detail = "The only character set is UTF-8."
		return "", body{}, unsupported
	}
	taken, ok := op.bodies[mediaType]
	if !ok {
		return "", body{}, unsupported
	}
	return mediaType, taken, nil
}

// read returns the request's body. It returns PayloadTooLarge before it has read more than the limit.
func (b body) read(r *http.Request) ([]byte, error) {
	if r.ContentLength > b.limit {
		return nil, b.errTooLarge()
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, b.limit+1))
	if err != nil {
		return nil, apperr.Wrap(apperr.MalformedRequest, "The body is incomplete.", err)
	}
	if int64(len(text)) > b.limit {
		return nil, b.errTooLarge()
	}
	return text, nil
}

func (b body) errTooLarge() error {
	return apperr.New(apperr.PayloadTooLarge, fmt.Sprintf("This body may be at most %d bytes long.", b.limit))
}

// decode decodes the body, within the bounds of the schema.
func decode(mediaType string, text []byte, schema *openapi3.Schema) (decoded, error) {
	if mediaType == mediaTypeForm {
		return decodeForm(string(text), schema)
	}
	return decodeJSON(text, schema)
}

// decodeForm reads a form whose values are all single strings.
func decodeForm(text string, schema *openapi3.Schema) (decoded, error) {
	malformed := apperr.New(apperr.MalformedRequest, "The body is not a form.")
	if text == "" || strings.Count(text, "&") >= maxTokens {
		return decoded{}, malformed
	}
	object := make(map[string]any)
	form := decoded{value: object, whole: true}
	for pair := range strings.SplitSeq(text, "&") {
		if pair == "" {
			continue
		}
		name, value, err := unescapePair(pair)
		if err != nil {
			return decoded{}, malformed
		}
		member, fault := memberOf(schema, name)
		if _, twice := object[name]; twice {
			fault = apperr.Duplicate
		}
		if fault == "" {
			if value = textFor(member, value); !isText(value) {
				fault = apperr.InvalidCharacters
			}
			object[name] = value
		}
		if fault == "" {
			continue
		}
		form.faults = append(form.faults, apperr.Field{Pointer: pointer(name), Code: fault})
		if len(form.faults) >= MaxFaults {
			return decoded{faults: form.faults}, nil
		}
	}
	return form, nil
}

func unescapePair(pair string) (name, value string, err error) {
	name, value, _ = strings.Cut(pair, "=")
	if strings.Contains(pair, ";") {
		return "", "", errFormat
	}
	if name, err = url.QueryUnescape(name); err != nil {
		return "", "", err
	}
	value, err = url.QueryUnescape(value)
	return name, value, err
}

// validatedBody is a body that has been read and validated. The generated code binds its value.
type validatedBody struct {
	*bytes.Reader
	text  []byte
	value any
}

// Close does nothing: the body has been read to its end.
func (*validatedBody) Close() error { return nil }

// ValidatedValue returns the value for the generated code to bind.
func (b *validatedBody) ValidatedValue() any { return b.value }

// Text returns the text of a validated body, nil when the operation accepts none.
func Text(body io.Reader) []byte {
	if b, ok := body.(*validatedBody); ok {
		return b.text
	}
	return nil
}
