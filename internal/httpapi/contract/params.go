package contract

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/supportbackend/support/internal/apperr"
)

// maxQueryPairs limits the parameters of a query, unknown ones included.
const maxQueryPairs = 100

var integerPattern = regexp.MustCompile(`^-?(0|[1-9]\d{0,17})$`)

// The headers that this package reads.
const (
	HeaderIdempotencyKey = "Idempotency-Key"
	HeaderIfMatch        = "If-Match"
	HeaderIfNoneMatch    = "If-None-Match"
)

// CheckParameters checks the path, the query and the headers against the operation's parameters. inPath returns the
// value of a path parameter. It returns NotFound for a fault in the path, InvalidIdempotencyKey for that header, and
// InvalidParameter for the rest, unknown query parameters included.
func (op *Operation) CheckParameters(r *http.Request, inPath func(name string) string) error {
	query, err := Query(r.URL)
	if err != nil {
		return err
	}
	for _, p := range op.parameters {
		var values []string
		switch p.In {
		case openapi3.ParameterInPath:
			if len(op.checkParameter(p, inPath(p.Name))) > 0 {
				return apperr.New(apperr.NotFound, "Nothing was found here.")
			}
			continue
		case openapi3.ParameterInQuery:
			values = query[p.Name]
			delete(query, p.Name)
		case openapi3.ParameterInHeader:
			values = headerValues(r.Header, p.Name)
		}
		if err := op.checkValues(p, values); err != nil {
			return err
		}
	}
	if op.QueryToken != "" {
		delete(query, op.QueryToken)
	}
	for name := range query {
		return InvalidParameter(openapi3.ParameterInQuery, name, apperr.Field{Code: apperr.Unknown})
	}
	return nil
}

// Query parses a query. It returns InvalidParameter for one with too many parameters. When a part cannot be parsed, it
// returns InvalidParameter together with the other parts.
func Query(u *url.URL) (url.Values, error) {
	if strings.Count(u.RawQuery, "&") >= maxQueryPairs {
		return nil, apperr.New(apperr.InvalidParameter, "The query has too many parameters.")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return query, apperr.New(apperr.InvalidParameter, "The query could not be parsed.")
	}
	return query, nil
}

// checkValues checks the values of a parameter: there may be one or none.
func (op *Operation) checkValues(p *openapi3.Parameter, values []string) error {
	switch {
	case len(values) > 1:
		return InvalidParameter(p.In, p.Name, apperr.Field{Code: apperr.Duplicate})
	case len(values) == 1:
		if faults := op.checkParameter(p, values[0]); len(faults) > 0 {
			return InvalidParameter(p.In, p.Name, faults[0])
		}
	case p.Required:
		return InvalidParameter(p.In, p.Name, apperr.Field{Code: apperr.Required})
	}
	return nil
}

// CheckOnBehalfOf checks the values of the header that names the customer to act for. It returns InvalidParameter for
// an invalid value, and for any value where nobody acts for customers.
func (op *Operation) CheckOnBehalfOf(name string, values []string) error {
	switch {
	case len(values) == 0:
		return nil
	case op.onBehalfOf == nil:
		return InvalidParameter(openapi3.ParameterInHeader, name, apperr.Field{Code: apperr.Unknown})
	default:
		return op.checkValues(op.onBehalfOf, values)
	}
}

// header returns the operation's header parameter of that name, or nil.
func (op *Operation) header(name string) *openapi3.Parameter {
	for _, p := range op.parameters {
		if p.In == openapi3.ParameterInHeader && p.Name == name {
			return p
		}
	}
	return nil
}

// checkParameter returns which rules of the parameter's schema the value breaks.
func (op *Operation) checkParameter(p *openapi3.Parameter, value string) []apperr.Field {
	schema := p.Schema.Value
	if schema.MaxLength != nil {
		value = cutAfter(value, *schema.MaxLength+1)
	}
	if p.In == openapi3.ParameterInQuery && !utf8.ValidString(value) {
		return []apperr.Field{{Code: apperr.InvalidCharacters}}
	}
	var typed any = value
	if schema.Type.Is(openapi3.TypeInteger) {
		if !integerPattern.MatchString(value) {
			return []apperr.Field{{Code: apperr.InvalidType}}
		}
		typed = json.Number(value)
	}
	if schema.Type.Is(openapi3.TypeBoolean) {
		if value != "true" && value != "false" {
			return []apperr.Field{{Code: apperr.InvalidType}}
		}
		typed = value == "true"
	}
	return op.validator.validate(schema, typed)
}

// headerValues returns the lines of a header. It joins the lines of a list (RFC 9110, section 5.3), also in the header
// itself, which the generated code reads afterwards.
func headerValues(header http.Header, name string) []string {
	values := header.Values(name)
	if len(values) > 1 && (name == HeaderIfMatch || name == HeaderIfNoneMatch) {
		header.Set(name, strings.Join(values, ", "))
	}
	return header.Values(name)
}

// InvalidParameter returns the error for a query parameter or a header that breaks a rule.
func InvalidParameter(in, name string, field apperr.Field) error {
	err := apperr.New(apperr.InvalidParameter, "A parameter is unknown or has an invalid value.")
	if name == HeaderIdempotencyKey {
		err = apperr.New(apperr.InvalidIdempotencyKey,
			"An Idempotency-Key is one value of 1 to 255 visible ASCII characters.")
	}
	field.Pointer, field.In = pointer(name), in
	return err.At(field)
}
