package contract

import (
	"mime"
	"slices"
	"strings"

	"github.com/supportbackend/support/internal/apperr"
)

// maxRanges is how many media ranges of an Accept header are read.
const maxRanges = 100

// CheckAccept returns NotAcceptable unless the Accept header (RFC 9110, section 12.5.1) includes a media type that the
// operation produces.
func (op *Operation) CheckAccept(accept []string) error {
	if len(accept) == 0 || len(op.produces) == 0 {
		return nil
	}
	weights := make(map[string]string)
	for i, mediaRange := range strings.SplitN(strings.Join(accept, ","), ",", maxRanges+1) {
		if i == maxRanges {
			break // No client needs that many.
		}
		if mediaType, params, err := mime.ParseMediaType(mediaRange); err == nil {
			weights[mediaType] = params["q"]
		}
	}
	if strings.TrimSpace(strings.Join(accept, "")) == "" || slices.ContainsFunc(op.produces, accepts(weights)) {
		return nil
	}
	return apperr.New(apperr.NotAcceptable, "The operation cannot respond in a media type that Accept names.")
}

// accepts reports whether a media type is accepted: the most specific matching range decides.
func accepts(weights map[string]string) func(string) bool {
	return func(mediaType string) bool {
		kind, _, _ := strings.Cut(mediaType, "/")
		for _, mediaRange := range []string{mediaType, kind + "/*", "*/*"} {
			if weight, named := weights[mediaRange]; named {
				return !isZero(weight)
			}
		}
		return false
	}
}

// isZero reports whether a weight excludes its media range.
func isZero(q string) bool {
	return q != "" && strings.Trim(q, "0.") == ""
}
