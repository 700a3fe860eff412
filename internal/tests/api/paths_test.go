package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/contracttest"
)

// uncheckedDo sends a request without checking the response against the contract, for responses outside of it.
func uncheckedDo(t *testing.T, method, url string, header ...string) apitest.Response {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	request, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	require.NoError(t, err)
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		request.Header.Add(name, value)
	}
	response, err := transport.RoundTrip(request)
	require.NoError(t, err)
	var body strings.Builder
	require.NoError(t, response.Write(&body))
	require.NoError(t, response.Body.Close())
	_, text, _ := strings.Cut(body.String(), "\r\n\r\n")
	return apitest.Response{Status: response.StatusCode, Header: response.Header, Body: []byte(text)}
}

func TestNonCanonicalIDsAreNotFound(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	d.keepStored(t)
	id := d.ticket.ID.String()
	for name, spelling := range map[string]string{
		"upper case":             strings.ToUpper(id),
		"one letter upper case":  strings.Replace(id, id[:9], strings.ToUpper(id[:9]), 1) + "A",
		"braces":                 "%7B" + id + "%7D",
		"a URN":                  "urn:uuid:" + id,
		"no hyphens":             strings.ReplaceAll(id, "-", ""),
		"hyphens elsewhere":      strings.ReplaceAll(id, "-", "")[:31] + "-----",
		"a NUL":                  id + "%00",
		"a NUL in the middle":    id[:35] + "%00",
		"a line break":           id + "%0A",
		"a space":                "%20" + id,
		"a path upwards":         "..%2f" + id,
		"dots":                   "%2e%2e",
		"dots and a slash":       "..%2f..%2fetc%2fpasswd",
		"no UTF-8":               "%ff%fe",
		"digits of other script": strings.Replace(id, "0", "%EF%BC%90", 1),
		"5000 characters":        strings.Repeat("a", 5000),
		"a number":               "1",
		"a negative number":      "-1",
		"null":                   "null",
		"SQL":                    "%27%20OR%201=1--",
		"a template":             "%7B%7B7*7%7D%7D",
		"one digit short":        id[:35],
		"one digit more":         id + "0",
		"nobody's":               uuid.NewString(),
		"nil":                    uuid.Nil.String(),
		"max":                    uuid.Max.String(),
	} {
		t.Run(name, func(t *testing.T) {
			for _, c := range d.calls(t) {
				if c.thing == "" {
					continue
				}
				c.path = strings.Replace(c.path, c.thing, spelling, 1)
				r := d.do(t, c, c.body, jsonType)
				problem := requireRefused(t, r, http.StatusNotFound, client.ProblemCodeNotFound)
				require.Equal(t, "Nothing was found here.", problem.Detail, "%s reveals more than others", c.OperationID)
			}
		})
	}
}

func TestInvalidPathIsNotFound(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	id := d.ticket.ID.String()
	for _, path := range []string{
		"//tickets", "/tickets/", "/TICKETS", "/tickets/" + id + "/", "/tickets/" + id + "/" + canary, "/docsX",
		"/tickets//messages", "/tickets/" + id + "%2Fmessages", "/tickets;x=1", "/tickets%00", "/me/", "/.env", "/debug/pprof/",
		"/metrics", "/tickets/" + id + "/messages/" + id, "/auth", "/%2e%2e/etc/passwd",
	} {
		r := d.owner.Do(t, http.MethodGet, path, "")
		requireRefused(t, r, http.StatusNotFound, client.ProblemCodeNotFound)
	}
}

// required returns the beginning of a query with the required parameters.
func required(c call) string {
	if query := operations[c.OperationID].query; query != "" {
		return query + "&"
	}
	return "?"
}

func TestUnknownQueryParametersAreRefused(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	d.keepStored(t)
	for _, c := range d.calls(t) {
		for query, pointer := range map[string]string{
			"unknown=" + canary:              "/unknown unknown",
			"Limit=5":                        "/Limit unknown",
			"access_token=" + canary:         "/access_token unknown",
			"a%2Fb~=" + canary:               "/a~1b~0 unknown",
			"unknown":                        "/unknown unknown",
			"limit[]=5":                      "/limit[] unknown",
			"=" + canary:                     "/ unknown",
			"unknown=1&unknown=" + canary:    "/unknown unknown",
			"unknown=%00%ff%0d%0aX-Canary:1": "/unknown unknown",
		} {
			asked := c
			asked.path += required(c) + query
			r := d.do(t, asked, c.body, jsonType)
			requireRefused(t, r, http.StatusBadRequest, client.ProblemCodeInvalidParameter, pointer)
		}
		for _, query := range []string{"%zz=" + canary, "a=%", "limit=1;limit=" + canary} {
			asked := c
			asked.path += "?" + query
			r := d.do(t, asked, c.body, jsonType)
			requireRefused(t, r, http.StatusBadRequest, client.ProblemCodeInvalidParameter)
		}
	}
}

func TestInvalidLimitsAreRefused(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	for _, id := range []string{"listTickets", "listMessages"} {
		for query, want := range map[string]string{
			"limit=0": "out_of_range", "limit=-1": "out_of_range", "limit=-0": "out_of_range", "limit=201": "out_of_range",
			"limit=2147483648": "invalid_format", "limit=4294967297": "invalid_format",
			"limit=99999999999999999999": "invalid_type", "limit=" + canary: "invalid_type", "limit=1e2": "invalid_type",
			"limit=": "invalid_type", "limit": "invalid_type", "limit=1.0": "invalid_type", "limit=0x10": "invalid_type",
			"limit=%2B5": "invalid_type", "limit=+5": "invalid_type", "limit=007": "invalid_type", "limit=5%00": "invalid_type",
			"limit=5%0A": "invalid_type", "limit=%EF%BC%95": "invalid_type", "limit=null": "invalid_type",
			"limit=1&limit=2": "duplicate", "limit=50&limit=50": "duplicate",
		} {
			c := d.call(t, id)
			c.path += "?" + query
			r := d.do(t, c, "")
			requireRefused(t, r, http.StatusBadRequest, client.ProblemCodeInvalidParameter, "/limit "+want)
		}
		for _, query := range []string{"limit=1", "limit=200", "%6Cimit=5", ""} {
			c := d.call(t, id)
			c.path += "?" + query
			require.Equal(t, http.StatusOK, d.do(t, c, "").Status, query)
		}
	}
}

func TestMethodsOutsideTheContractAreNotAllowed(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	d.keepStored(t)
	methods := []string{
		http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodTrace, "FOO",
		"PROPFIND", "get", "post",
	}
	urls := make(map[string]string)
	for _, c := range d.calls(t) {
		urls[c.template] = c.path
	}
	for path, url := range urls {
		item := contracttest.Spec(t).Paths.Value(path)
		var allowed []string
		for method := range item.Operations() {
			allowed = append(allowed, method)
		}
		slices.Sort(allowed)
		for _, method := range methods {
			if slices.Contains(allowed, method) {
				continue
			}
			for _, header := range []string{"Accept: */*", "Authorization: Bearer " + d.owner.Token} {
				r := d.Do(t, method, url, "", header)
				requireRefused(t, r, http.StatusMethodNotAllowed, client.ProblemCodeMethodNotAllowed)
				require.Equal(t, strings.Join(allowed, ", "), r.Header.Get("Allow"), "%s %s", method, path)
			}
		}
		if item.Get == nil {
			r := d.Do(t, http.MethodHead, url, "")
			require.Equal(t, http.StatusMethodNotAllowed, r.Status, path)
			require.Equal(t, strings.Join(allowed, ", "), r.Header.Get("Allow"))
		}
	}
}

func TestOtherMethodsOnPagesAreNotAllowed(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	for _, path := range []string{"/docs", "/problems", "/problems/not_found", "/openapi.json", "/openapi.yaml"} {
		require.Equal(t, http.StatusOK, d.Do(t, http.MethodHead, path, "").Status)
		for _, method := range []string{http.MethodPost, http.MethodDelete, "FOO"} {
			r := d.Do(t, method, path, "")
			requireRefused(t, r, http.StatusMethodNotAllowed, client.ProblemCodeMethodNotAllowed)
			require.Contains(t, r.Header.Get("Allow"), http.MethodGet)
		}
	}
}

func TestHeadIsGetWithoutABody(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	stranger := d.Customer(t)
	for _, c := range d.calls(t) {
		if c.method != http.MethodGet || c.streams(t) {
			continue
		}
		for name, header := range map[string][]string{
			"by the customer": {"Authorization: Bearer " + d.owner.Token},
			"by a stranger":   {"Authorization: Bearer " + stranger.Token},
			"by nobody":       {},
			"by a fake token": {"Authorization: Bearer " + canary},
			"unacceptable":    {"Authorization: Bearer " + d.owner.Token, "Accept: image/png"},
		} {
			get := d.Do(t, http.MethodGet, c.path, "", header...)
			head := d.Do(t, http.MethodHead, c.path, "", header...)
			require.Equal(t, get.Status, head.Status, "%s %s", c.OperationID, name)
			require.Empty(t, head.Body)
			require.NotEmpty(t, get.Body)
			for _, own := range []string{"Date", "X-Request-Id"} {
				get.Header.Del(own)
				head.Header.Del(own)
			}
			require.Equal(t, get.Header, head.Header, "%s %s", c.OperationID, name)
		}
	}
}

func TestHeadOfAStreamStartsNoAnswer(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	d.keepStored(t)
	asked := len(d.Simulator.Requests())
	r := uncheckedDo(t, http.MethodHead, d.URL+d.call(t, "streamAIResponse").path, "Authorization: Bearer "+d.owner.Token)
	require.Equal(t, http.StatusMethodNotAllowed, r.Status)
	require.Equal(t, "GET", r.Header.Get("Allow"))
	require.Empty(t, r.Body)
	require.Len(t, d.Simulator.Requests(), asked)
}
