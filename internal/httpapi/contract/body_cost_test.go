package contract

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/internal/testing/example"
)

// headerBytes is net/http's limit of headers.
const headerBytes = 16 << 10

// takenBody is the body of an operation in one media type.
type takenBody struct {
	op        *Operation
	described *openapi3.Operation
	mediaType string
	schema    *openapi3.Schema
	limit     int
}

// takenBodies returns the bodies of all operations that allow only declared members.
func takenBodies(t testing.TB) []takenBody {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(api.SpecJSON) // With its examples.
	require.NoError(t, err)
	operations, err := Compile(doc, nil)
	require.NoError(t, err)
	var bodies []takenBody
	for _, op := range operations {
		for mediaType, b := range op.bodies {
			if *b.schema.AdditionalProperties.Has {
				continue
			}
			described := doc.Paths.Find(op.Path).GetOperation(op.Method)
			bodies = append(bodies, takenBody{op: op, described: described, mediaType: mediaType, schema: b.schema, limit: int(b.limit)})
		}
	}
	require.GreaterOrEqual(t, len(bodies), 12)
	slices.SortFunc(bodies, func(a, b takenBody) int { return strings.Compare(a.name(), b.name()) })
	return bodies
}

func (b takenBody) name() string { return b.op.ID + " " + b.mediaType }

// check reads and checks a body as a request does.
func (b takenBody) check(text []byte) error {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", bytes.NewReader(text))
	r.Header.Set("Content-Type", b.mediaType)
	_, err := b.op.CheckBody(r)
	return err
}

// valid returns a valid body, filled up to the limit.
func (b takenBody) valid(t testing.TB) []byte {
	t.Helper()
	if b.mediaType == mediaTypeForm {
		return []byte("username=a&password=b" + strings.Repeat("&", maxTokens-2))
	}
	text, err := json.Marshal(example.Least(b.described))
	require.NoError(t, err)
	return append(text, bytes.Repeat([]byte(" "), b.limit-len(text))...)
}

// filled repeats a piece until the text has the largest size of a body. A # in the piece becomes a running number.
func filled(limit int, begin, piece, end string) []byte {
	var text strings.Builder
	text.Grow(limit)
	text.WriteString(begin)
	parts := strings.Split(piece, "#")
	for i := 0; text.Len() < limit-len(piece)-len(end)-8; i++ {
		text.WriteString(parts[0])
		for _, part := range parts[1:] {
			text.WriteString(strconv.Itoa(i))
			text.WriteString(part)
		}
	}
	return []byte(strings.TrimSuffix(text.String(), ",") + end)
}

// hostile returns invalid bodies, each of the largest size.
func (b takenBody) hostile() map[string][]byte {
	bodies := make(map[string][]byte)
	add := func(name, begin, piece, end string) { bodies[name] = filled(b.limit, begin, piece, end) }
	if b.mediaType == mediaTypeForm {
		add("unknown names", "", "#=&", "")
		add("one name again and again", "", "username=&", "")
		add("control characters", "username=", "%01", "")
		add("names of control characters", "", "%01#&", "")
		add("no names", "", "=&", "")
		add("a long value", "username=a&password=", "%f0%9f%98%80", "")
		return bodies
	}
	deep, shut := strings.Repeat("[", maxDepth-3), strings.Repeat("]", maxDepth-3)
	add("unknown members", "{", `"#":1,`, "}")
	add("unknown members that are deep", "{", `"#":`+deep+shut+",", "}")
	add("members of an unknown member", `{"unknown":{`, `"#":1,`, "}}")
	add("elements of an unknown member", `{"unknown":[`, "{},", "]}")
	add("names of control characters", "{", `"\u0001#":1,`, "}")
	add("long unknown names", "{", `"`+strings.Repeat("n", b.limit/25)+`#":1,`, "}")
	add("an array", "[", "{},", "]")
	add("an array of arrays", "[", deep+shut+",", "]")
	add("a number", "", "9", "")
	for name := range b.schema.Properties {
		begin := `{"` + name + `":`
		add(name+": again and again", "{", `"`+name+`":1,`, "}")
		add(name+": objects", begin+"[", "{},", "]}")
		add(name+": objects with members", begin+"[", `{"a":1,"b":[]},`, "]}")
		add(name+": texts", begin+"[", `"",`, "]}")
		add(name+": known texts", begin+"[", `"ai",`, "]}")
		add(name+": deep arrays", begin+"[", deep+shut+",", "]}")
		add(name+": members", begin+"{", `"#":{},`, "}}")
		add(name+": a number", begin, "9", "}")
		add(name+": control characters", begin+`"`, `\u0001`, `"}`)
		add(name+": halves of characters", begin+`"`, `\ud800`, `"}`)
		add(name+": letters", begin+`"`, "x", `"}`)
		add(name+": emoji", begin+`"`, `\ud83d\ude00`, `"}`)
		add(name+": blanks", begin+`"`, " ", `"}`)
		add(name+": an address", begin+`"`, "a.", `@a"}`)
		add(name+": escape sequences", begin+`"`, `\u001b[31m`, `"}`)
		add(name+": escape sequences that do not end", begin+`"`, `\u001b]`, `"}`)
	}
	return bodies
}

// cost is the cost of checking a body: allocated objects and bytes, and time.
type cost struct {
	objects, bytes uint64
	took           time.Duration
	err            error
}

func (b takenBody) cost(text []byte) cost {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	err := b.check(text)
	took := time.Since(begin)
	runtime.ReadMemStats(&after)
	return cost{after.Mallocs - before.Mallocs, after.TotalAlloc - before.TotalAlloc, took, err}
}

// maxRatio bounds the time. Most of the valid body is blanks, which take a thirtieth of the time of other text. Work that
// grows with the square of the size would take more than a thousand times as long.
const maxRatio = 100

// TestRefusingABodyCostsLittleMoreThanReadingOne compares with a valid body of the same size.
func TestRefusingABodyCostsLittleMoreThanReadingOne(t *testing.T) { //nolint:paralleltest // It counts what the process allocates.
	bodies := takenBodies(t)
	valid := make(map[string]cost)
	for _, b := range bodies {
		if b.mediaType != mediaTypeForm {
			text := b.valid(t)
			_ = b.check(text) // The first check compiles the validator's patterns.
			valid[b.op.ID] = b.cost(text)
			require.NoError(t, valid[b.op.ID].err, b.name())
		}
	}
	for _, b := range bodies {
		want := valid[b.op.ID]
		for name, text := range b.hostile() {
			got := b.cost(text)
			for range 10 {
				if got.took <= maxRatio*want.took {
					break
				}
				got = b.cost(text) // Measure again: another program may have used the processor.
			}
			require.Error(t, got.err, "%s: %s", b.name(), name)
			require.LessOrEqual(t, got.objects, want.objects+800, "%s: %s", b.name(), name)
			require.LessOrEqual(t, got.bytes, 4*want.bytes, "%s: %s", b.name(), name)
			require.LessOrEqual(t, got.took, maxRatio*want.took, "%s: %s", b.name(), name)
		}
	}
}

// TestHeadersAndQueriesFullOfFaultsCostLittle sends headers and queries as large as net/http allows.
func TestHeadersAndQueriesFullOfFaultsCostLittle(t *testing.T) { //nolint:paralleltest // It counts what the process allocates.
	doc, err := Read(api.SpecJSON)
	require.NoError(t, err)
	operations, err := Compile(doc, nil)
	require.NoError(t, err)
	op := operations[slices.IndexFunc(operations, func(op *Operation) bool {
		return op.Method == http.MethodPatch && op.Path == "/tickets/{ticket_id}"
	})]
	lines := map[string][]string{
		"Accept":         {string(filled(headerBytes, "", "a/b#;q=0.1,", ""))},
		"Accept in many": slices.Repeat([]string{"a/b;q=0.1"}, headerBytes/16),
		"Content-Type":   {string(filled(headerBytes, "application/json", "; p#=1", ""))},
		"If-Match":       {string(filled(headerBytes, "", `"#",`, ""))},
		"If-Match wrong": {strings.Repeat("x", headerBytes)},
		"query":          {string(filled(headerBytes, "", "#=1&", ""))},
		"query of one":   {strings.Repeat("a=1&", headerBytes/4)},
		"path":           {strings.Repeat("a", headerBytes)},
	}
	for name, values := range lines {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPatch, "/", strings.NewReader("{}"))
		r.Header.Set("Content-Type", "application/json")
		ticketID := "0199d3c6-1f2a-7c3e-9b61-5e0f3a7c1d22"
		switch header, _, _ := strings.Cut(name, " "); header {
		case "query":
			r.URL.RawQuery = values[0]
		case "path":
			ticketID = values[0]
		default:
			r.Header[header] = values
		}
		refused := func() error {
			_, body := op.CheckBody(r)
			parameters := op.CheckParameters(r, func(string) string { return ticketID })
			return errors.Join(op.CheckAccept(r.Header.Values("Accept")), parameters, body)
		}
		require.Error(t, refused(), name)
		require.Less(t, testing.AllocsPerRun(5, func() { _ = refused() }), 1000.0, name)
	}
}

// The cost of an open body depends on its tokens, whose number is limited.
func TestCostOfAnOpenBodyIsBounded(t *testing.T) { //nolint:paralleltest // It counts what the process allocates.
	doc, err := Read(api.SpecJSON)
	require.NoError(t, err)
	operations, err := Compile(doc, nil)
	require.NoError(t, err)
	open := 0
	for _, op := range operations {
		b, takes := op.bodies[mediaTypeJSON]
		if !takes || !*b.schema.AdditionalProperties.Has {
			continue
		}
		open++
		taken := takenBody{op: op, mediaType: mediaTypeJSON, schema: b.schema, limit: int(b.limit)}
		for name, text := range taken.hostile() {
			require.Less(t, taken.cost(text).objects, uint64(16*maxTokens), "%s: %s", op.ID, name)
		}
		for name, piece := range map[string]string{"objects": `{"a":{}},`, "texts": `"a",`, "messages": `{"id":"a","parts":[{"type":"text","text":"b"}]},`} {
			text := filled(taken.limit, `{"more":[`, piece, "]}")
			require.Less(t, taken.cost(text).objects, uint64(16*maxTokens), "%s: %s", op.ID, name)
		}
	}
	require.Equal(t, 3, open)
}

func BenchmarkRefusedBody(b *testing.B) {
	for _, taken := range takenBodies(b) {
		bodies := taken.hostile()
		bodies["valid"] = taken.valid(b)
		for _, name := range slices.Sorted(maps.Keys(bodies)) {
			b.Run(taken.name()+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					_ = taken.check(bodies[name])
				}
			})
		}
	}
}
