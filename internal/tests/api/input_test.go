package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
)

func TestBodyThatIsNotOneJSONValueIsMalformed(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	d.keepStored(t)
	for name, text := range map[string]string{
		"nothing":                     "",
		"white space":                 " \n\t",
		"an open brace":               "{",
		"an open string":              `{"` + canary,
		"a brace too many":            "GOOD}",
		"garbage after it":            "GOOD " + canary,
		"an object after it":          `GOOD{"` + canary + `":1}`,
		"itself twice":                "GOODGOOD",
		"a NUL after it":              "GOOD\x00",
		"a byte order mark":           "\uFEFFGOOD",
		"NaN":                         `{"` + canary + `":NaN}`,
		"Infinity":                    `{"` + canary + `":-Infinity}`,
		"single quotes":               `{'` + canary + `':1}`,
		"a comment":                   "GOOD // " + canary,
		"a comma too many":            `{"` + canary + `":1,}`,
		"a name without quotes":       `{` + canary + `:1}`,
		"a leading zero":              `{"` + canary + `":01}`,
		"a plus sign":                 `{"` + canary + `":+1}`,
		"a hexadecimal number":        `{"` + canary + `":0x10}`,
		"an unknown escape":           `{"` + canary + `":"\x41"}`,
		"a raw line break in text":    "{\"" + canary + "\":\"a\nb\"}",
		"a raw NUL in text":           "{\"" + canary + "\":\"a\x00b\"}",
		"a byte that is no UTF-8":     "{\"" + canary + "\":\"\xff\"}",
		"an overlong form":            "{\"" + canary + "\":\"\xc0\x80\"}",
		"a surrogate in UTF-8":        "{\"" + canary + "\":\"\xed\xa0\x80\"}",
		"UTF-16":                      "{\x00}\x00",
		"33 levels":                   `{"` + canary + `":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`,
		"30000 levels":                strings.Repeat("[", 30000) + strings.Repeat("]", 30000),
		"65536 levels, all open":      strings.Repeat("[", 65536),
		"a form":                      "username=" + canary + "&password=x",
		"XML with an external entity": `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>`,
		"a member twice, then an end": `{"` + canary + `":1,"` + canary + `":`,
	} {
		t.Run(name, func(t *testing.T) {
			for _, c := range d.writes(t) {
				r := d.do(t, c, strings.ReplaceAll(text, "GOOD", c.body), jsonType)
				requireRefused(t, r, http.StatusBadRequest, client.ProblemCodeMalformedRequest)
			}
		})
	}
}

func TestUnsupportedMediaTypesAreRefused(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	d.keepStored(t)
	for name, header := range map[string][]string{
		"none":              {},
		"plain text":        {"Content-Type: text/plain"},
		"a merge patch":     {"Content-Type: application/merge-patch+json"},
		"a multipart form":  {"Content-Type: multipart/form-data; boundary=" + canary},
		"XML":               {"Content-Type: application/xml"},
		"problem JSON":      {"Content-Type: application/problem+json"},
		"half a media type": {"Content-Type: json"},
		"two media types":   {"Content-Type: application/json, text/" + canary},
		"a broken header":   {`Content-Type: application/json; charset="` + canary},
		"two headers":       {jsonType, jsonType},
		"Latin 1":           {jsonType + "; charset=iso-8859-1"},
		"UTF-16":            {jsonType + "; charset=utf-16"},
		"an unknown set":    {jsonType + "; charset=" + canary},
		"gzip":              {jsonType, "Content-Encoding: gzip"},
		"deflate":           {jsonType, "Content-Encoding: deflate"},
		"brotli":            {jsonType, "Content-Encoding: br"},
		"gzip twice":        {jsonType, "Content-Encoding: gzip, gzip"},
		"hidden gzip":       {jsonType, "Content-Encoding: identity", "Content-Encoding: gzip"},
		"an unknown coding": {jsonType, "Content-Encoding: " + canary},
	} {
		t.Run(name, func(t *testing.T) {
			for _, c := range d.writes(t) {
				r := d.do(t, c, c.body, header...)
				requireRefused(t, r, http.StatusUnsupportedMediaType, client.ProblemCodeUnsupportedMediaType)
				require.Equal(t, strings.Join(c.media, ", "), r.Header.Get("Accept"), c.OperationID)
			}
		})
	}
	t.Run("a form where none is taken", func(t *testing.T) {
		for _, c := range d.writes(t) {
			if !slices.Contains(c.media, "application/x-www-form-urlencoded") {
				r := d.do(t, c, "title="+canary, formType)
				requireRefused(t, r, http.StatusUnsupportedMediaType, client.ProblemCodeUnsupportedMediaType)
			}
		}
	})
}

func TestMediaTypesMayBeSpelledInAnyValidWay(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	for _, header := range [][]string{
		{jsonType + "; charset=utf-8"},
		{jsonType + `;charset="UTF-8"`},
		{"Content-Type: Application/JSON"},
		{jsonType, "Content-Encoding: identity"},
	} {
		for _, c := range d.writes(t) {
			requireTaken(t, c, d.do(t, c, c.body, header...))
		}
	}
}

func TestUnacceptableMediaTypesAreRefused(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	d.keepStored(t)
	for _, accept := range []string{
		"image/png", "text/html, image/*;q=0.9", "application/json;q=0, text/event-stream;q=0.000", canary + "/*",
	} {
		for _, c := range d.calls(t) {
			if c.Responses.Value("204") != nil && c.Responses.Value("200") == nil {
				continue // The operation has no response body.
			}
			r := d.do(t, c, c.body, jsonType, "Accept: "+accept)
			requireRefused(t, r, http.StatusNotAcceptable, client.ProblemCodeNotAcceptable)
		}
	}
	asked := len(d.Simulator.Requests())
	r := d.do(t, d.call(t, "streamAIResponse"), "", "Accept: application/json")
	requireRefused(t, r, http.StatusNotAcceptable, client.ProblemCodeNotAcceptable)
	require.Len(t, d.Simulator.Requests(), asked)
}

func TestAcceptSupportsRangesAndLists(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	for _, accept := range []string{
		"*/*", "application/*", "text/html, application/json;q=0.1", "image/png, */*;q=0.01",
		"text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
	} {
		r := d.do(t, d.call(t, "getTicket"), "", "Accept: "+accept)
		require.Equal(t, http.StatusOK, r.Status, accept)
	}
}
