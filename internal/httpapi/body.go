package httpapi

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
	"github.com/labstack/echo/v4"

	"github.com/supportbackend/support/internal/apperr"
)

const (
	// MaxBodyBytes is the most that a request's body may have.
	MaxBodyBytes = 64 << 10

	mediaTypeForm = "application/x-www-form-urlencoded"
)

// checkBody reads the whole body and holds it against the operation's schema for its media type. What was checked is
// what the handler gets: the generated code binds the validated value and does not parse the text again.
func (op *operation) checkBody(c echo.Context) error {
	r := c.Request()
	if r.ContentLength > MaxBodyBytes {
		c.Response().Header().Set(echo.HeaderConnection, "close")
		return errTooLarge()
	}
	mediaType, schema, err := op.bodySchema(r)
	if err != nil {
		c.Response().Header().Set(echo.HeaderAccept, strings.Join(slices.Sorted(maps.Keys(op.bodies)), ", "))
		return err
	}
	text, err := readBody(r)
	if err != nil {
		// What is left of it will not be read.
		c.Response().Header().Set(echo.HeaderConnection, "close")
		return err
	}
	value, fields, err := decode(mediaType, text)
	if err != nil {
		return err
	}
	if len(fields) == 0 {
		fields = validate(schema, value)
	}
	if len(fields) > 0 {
		err := apperr.New(apperr.ValidationFailed, "The body breaks a rule of the contract.")
		err.Fields = fields
		return err
	}
	// The generated code compares the header as it stands.
	r.Header.Set(echo.HeaderContentType, mediaType)
	r.Body = &validatedBody{Reader: bytes.NewReader(text), text: text, value: value}
	return nil
}

// bodySchema returns the schema for the request's media type, or UnsupportedMediaType.
func (op *operation) bodySchema(r *http.Request) (string, *openapi3.Schema, error) {
	unsupported := apperr.New(apperr.UnsupportedMediaType, "The operation does not take this media type.")
	codings := strings.Join(r.Header.Values(echo.HeaderContentEncoding), ",")
	if codings != "" && !strings.EqualFold(codings, "identity") {
		unsupported.Detail = "Content codings are not taken: send the body as it is."
		return "", nil, unsupported
	}
	contentTypes := r.Header.Values(echo.HeaderContentType)
	if len(contentTypes) != 1 {
		return "", nil, unsupported
	}
	mediaType, params, err := mime.ParseMediaType(contentTypes[0])
	if err != nil {
		return "", nil, unsupported
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		unsupported.Detail = "The only character set is UTF-8."
		return "", nil, unsupported
	}
	schema, ok := op.bodies[mediaType]
	if !ok {
		return "", nil, unsupported
	}
	return mediaType, schema, nil
}

func readBody(r *http.Request) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r.Body, MaxBodyBytes+1))
	if err != nil {
		return nil, apperr.Wrap(apperr.MalformedRequest, "The body broke off.", err)
	}
	if len(text) > MaxBodyBytes {
		return nil, errTooLarge()
	}
	return text, nil
}

func errTooLarge() error {
	return apperr.New(apperr.PayloadTooLarge, fmt.Sprintf("A body may have %d bytes at most.", MaxBodyBytes))
}

func decode(mediaType string, text []byte) (any, []apperr.Field, error) {
	if mediaType == mediaTypeForm {
		return decodeForm(text)
	}
	return decodeJSON(text)
}

// decodeForm reads a form whose values are all single strings.
func decodeForm(text []byte) (any, []apperr.Field, error) {
	form, err := url.ParseQuery(string(text))
	if err != nil || len(text) == 0 {
		return nil, nil, apperr.New(apperr.MalformedRequest, "The body is not a form.")
	}
	object := make(map[string]any, len(form))
	var fields []apperr.Field
	for _, name := range slices.Sorted(maps.Keys(form)) {
		values := form[name]
		switch {
		case len(values) > 1:
			fields = append(fields, apperr.Field{Pointer: pointer(name), Code: apperr.Duplicate})
		case !isText(values[0]):
			fields = append(fields, apperr.Field{Pointer: pointer(name), Code: apperr.InvalidCharacters})
		default:
			object[name] = values[0]
		}
	}
	return object, fields, nil
}

// validatedBody is a body that has been read and checked. The generated code takes the value it was checked as.
type validatedBody struct {
	*bytes.Reader
	text  []byte
	value any
}

// Close does nothing: the body has been read to its end.
func (*validatedBody) Close() error { return nil }

// ValidatedValue is what the generated code binds.
func (b *validatedBody) ValidatedValue() any { return b.value }

// textOf is the text of a body that was checked; nil when the operation takes none.
func textOf(body io.Reader) []byte {
	if b, ok := body.(*validatedBody); ok {
		return b.text
	}
	return nil
}
