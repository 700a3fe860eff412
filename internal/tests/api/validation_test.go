package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/internal/httpapi/contract"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/example"
)

// bodyWith returns a valid body of the operation with one member replaced or added as raw JSON.
func bodyWith(t *testing.T, c call, name, value string) string {
	t.Helper()
	good := changeMember(example.Least(c.Operation), name, nil)
	members := []string{}
	for _, member := range slices.Sorted(maps.Keys(good)) {
		members = append(members, encode(t, member)+":"+encode(t, good[member]))
	}
	return "{" + strings.Join(append(members, strconv.Quote(name)+":"+value), ",") + "}"
}

// wrongTypes are JSON values that no member accepts: no strings, and only one Boolean.
var wrongTypes = map[string]string{
	"null": "null", "a number": "12345", "a fraction": "-0.5", "minus zero": "-0", "too large a number": "1e400",
	"a number that floats cannot hold": "9007199254740993", "true": "true", "an array": `["` + canary + `"]`,
	"an object": `{"$ne":"` + canary + `"}`,
}

func TestValueOfAnotherTypeIsRefused(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	d.keepStored(t)
	for _, c := range d.writes(t) {
		for member, schema := range c.RequestBody.Value.Content["application/json"].Schema.Value.Properties {
			values := maps.Clone(wrongTypes)
			if len(schema.Value.AllOf) > 0 {
				schema = schema.Value.AllOf[0]
			}
			types := schema.Value.Type
			if types.Includes("null") {
				delete(values, "null")
			}
			switch {
			case types.Is("boolean"):
				values["true"] = `"true"`
			case types.Is("integer"):
				// The integers among them are out of range.
				for _, number := range []string{"a number", "minus zero", "a fraction", "too large a number", "a number that floats cannot hold"} {
					delete(values, number)
				}
			case types.Is("array"):
				values["an array"] = `"` + canary + `"`
			case types.Is("object"):
				values["an object"] = `"` + canary + `"`
			default:
				require.True(t, types.Includes("string"), "a member of another type needs tests of its own")
			}
			for name, value := range values {
				want := "/" + member + " invalid_type"
				if schema.Value.Enum != nil {
					want = "/" + member + " not_allowed"
				}
				r := d.do(t, c, bodyWith(t, c, member, value), jsonType)
				requireRefused(t, r, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed, want)
				require.NotContains(t, strings.ReplaceAll(string(r.Body), r.Header.Get("X-Request-Id"), ""), "12345", name)
			}
		}
	}
}

func TestBodiesOtherThanObjectsAreRefused(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	d.keepStored(t)
	for _, c := range d.writes(t) {
		for _, body := range []string{"null", "true", "12345", "1e400", "-0", `"` + canary + `"`, "[]", "[" + c.body + "]"} {
			r := d.do(t, c, body, jsonType)
			requireRefused(t, r, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed, " invalid_type")
		}
	}
}

func TestUnknownMembersAreRefused(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	d.keepStored(t)
	for _, c := range d.writes(t) {
		for _, name := range []string{
			"id", "user_id", "created_at", "is_ai", "Is_AI", "ROLE", "__proto__", "constructor", "$where", "a b",
		} {
			r := d.do(t, c, bodyWith(t, c, name, `"`+canary+`"`), jsonType)
			requireRefused(t, r, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed, "/"+name+" unknown")
		}
		for name, pointer := range map[string]string{"a/b~c": "/a~1b~0c", "~1": "/~01", "/": "/~1", "": "/", "é": "/é"} {
			r := d.do(t, c, bodyWith(t, c, name, `{"x":"`+canary+`"}`), jsonType)
			requireRefused(t, r, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed, pointer+" unknown")
		}
	}
}

func TestMemberNamesAreCaseSensitive(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	d.keepStored(t)
	for _, c := range d.writes(t) {
		for _, member := range c.RequestBody.Value.Content["application/json"].Schema.Value.Required {
			upper := strings.ToUpper(member)
			r := d.do(t, c, bodyWith(t, c, upper, `"`+canary+`"`), jsonType)
			requireRefused(t, r, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed, "/"+upper+" unknown")
			r = d.do(t, c, strings.Replace(c.body, `"`+member+`"`, `"`+upper+`"`, 1), jsonType)
			requireRefused(t, r, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed,
				"/"+upper+" unknown", "/"+member+" required")
		}
	}
}

func TestRepeatedMembersAreRefused(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	d.keepStored(t)
	for _, c := range d.writes(t) {
		for _, member := range c.RequestBody.Value.Content["application/json"].Schema.Value.Required {
			for _, again := range []string{member, fmt.Sprintf(`\u%04x%s`, member[0], member[1:])} {
				body := strings.TrimSuffix(c.body, "}") + `,"` + again + `":"` + canary + `"}`
				r := d.do(t, c, body, jsonType)
				requireRefused(t, r, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed,
					"/"+member+" duplicate")
			}
		}
	}
}

func TestEveryMissingMemberIsNamed(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	for _, c := range d.writes(t) {
		var want []string
		for _, member := range c.RequestBody.Value.Content["application/json"].Schema.Value.Required {
			want = append(want, "/"+member+" required")
		}
		switch schema := c.RequestBody.Value.Content["application/json"].Schema.Value; {
		case want == nil && schema.MinProps > 0:
			want = []string{" too_short"}
		case want == nil:
			continue
		}
		r := d.do(t, c, "{}", jsonType)
		requireRefused(t, r, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed, want...)
	}
}

func TestProblemListsAtMostTwentyFields(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	var members []string
	for i := range 40 {
		members = append(members, fmt.Sprintf(`"unknown-%02d":%q`, i, canary))
	}
	for _, c := range d.writes(t) {
		r := d.do(t, c, "{"+strings.Join(members, ",")+"}", jsonType)
		problem := r.RequireProblem(t, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed)
		require.Len(t, problem.Errors, 20)
		require.NotContains(t, string(r.Body), canary)
		seen := map[string]bool{}
		for _, field := range problem.Errors {
			require.False(t, seen[field.Pointer], "a field is listed twice: %s", field.Pointer)
			seen[field.Pointer] = true
		}
	}
	long := strings.Repeat("n", 60000)
	r := d.do(t, d.call(t, "createTicket"), `{"`+long+`":1}`, jsonType)
	problem := r.RequireProblem(t, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed)
	for _, field := range problem.Errors {
		require.LessOrEqual(t, len(field.Pointer), 255)
	}
}

// full repeats a piece until the text has the largest size of a body. A %d in the piece becomes a running number.
func full(begin, piece, end string) string {
	var b strings.Builder
	b.WriteString(begin)
	for i := 0; b.Len() < contract.LeastBodyLimit-len(piece)-len(end)-8; i++ {
		b.WriteString(strings.ReplaceAll(piece, "%d", strconv.Itoa(i)))
	}
	return strings.TrimSuffix(b.String(), ",") + end
}

func TestCostOfABodyFullOfFaultsIsLinear(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	d.keepStored(t)
	name := `{"` + strings.Repeat("n", contract.LeastBodyLimit/2)
	for what, body := range map[string]string{
		"unknown members":                full("{", `"%d":1,`, "}"),
		"control characters far down":    full(name+`":[`, `"\u0001",`, "]}"),
		"names with control characters":  full("{", `"\u0001%d":1,`, "}"),
		"one name again and again":       full("{", `"title":1,`, "}"),
		"values of a wrong type":         full(`{"title":[`, `{},`, `]}`),
		"escapes of half a character":    full(`{"title":"`, `\ud800`, `"}`),
		"members of unknown members":     full(name+`":{`, `"%d":1,`, "}}"),
		"a long text of nothing":         full(`{"title":"`, " ", `"}`),
		"a long text that is no address": full(`{"email":"`, "a.", `@a"}`),
	} {
		for _, c := range d.writes(t) {
			begin := time.Now()
			r := d.do(t, c, body, jsonType)
			require.Less(t, time.Since(begin), patience, what)
			problem := r.RequireProblem(t, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed)
			require.NotEmpty(t, problem.Errors, what)
		}
	}
}

func TestUnknownStatusesAreRefused(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	d.keepStored(t)
	c := d.call(t, "updateTicket")
	for _, status := range []string{"OPEN", "Pending", "pending ", " pending", "", canary, "reopened", "pend\u0131ng"} {
		r := d.do(t, c, bodyWith(t, c, "status", encode(t, status)), jsonType)
		requireRefused(t, r, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed, "/status not_allowed")
	}
}

func TestRolesInSignUpsAreRefused(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	d.keepStored(t)
	c := d.call(t, "signUp")
	for _, role := range []string{"ADMIN", "Admin ", "", canary, "admin ", "root", "superuser"} {
		r := d.do(t, c, bodyWith(t, c, "role", encode(t, role)), jsonType)
		requireRefused(t, r, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed, "/role not_allowed")
	}
	for _, role := range []string{"admin", "agent"} {
		r := d.do(t, c, bodyWith(t, c, "role", encode(t, role)), jsonType)
		requireRefused(t, r, http.StatusForbidden, client.ProblemCodeRoleNotAllowed)
	}
}

func TestTextWithControlCharactersOfLatin1IsRefused(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	ticket := user.NewTicket(t)
	for _, character := range []string{"\u007f", "\u0084", "\u009b", "\u009f"} {
		r := user.Do(t, http.MethodPost, "/tickets/"+ticket.ID.String()+"/messages",
			`{"content":"a`+character+`b"}`, "Content-Type: application/json")
		problem := r.RequireProblem(t, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed)
		require.Equal(t, client.FieldErrorCodeInvalidCharacters, problem.Errors[0].Code)
	}
	for _, separator := range []string{"\u2028", "\u2029"} {
		r := user.Do(t, http.MethodPost, "/tickets", `{"title":"a`+separator+`b","description":"d"}`,
			"Content-Type: application/json")
		problem := r.RequireProblem(t, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed)
		require.Equal(t, "/title", problem.Errors[0].Pointer)
	}
}

func TestRefusalsSayWhatIsAllowed(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	u := s.Customer(t)
	ticket := u.NewTicket(t).ID.String()
	limit := func(n int64) *int64 { return &n }
	for _, c := range []struct {
		method, path, body, header string
		want                       client.FieldError
	}{
		{
			http.MethodPost, "/tickets", `{"title":"` + strings.Repeat("a", 201) + `","description":"x"}`, "",
			client.FieldError{Pointer: "/title", Code: client.FieldErrorCodeTooLong, Limit: limit(200)},
		},
		{
			http.MethodPost, "/auth/signup", `{"email":"lin@example.com","password":"short"}`, "",
			client.FieldError{Pointer: "/password", Code: client.FieldErrorCodeTooShort, Limit: limit(8)},
		},
		{
			http.MethodPost, "/auth/signup", `{"email":"lin@example.com","password":"correct horse","role":"root"}`, "",
			client.FieldError{Pointer: "/role", Code: client.FieldErrorCodeNotAllowed, Allowed: []string{"user"}},
		},
		{
			http.MethodPatch, "/tickets/" + ticket, `{"status":"done"}`, "",
			client.FieldError{
				Pointer: "/status", Code: client.FieldErrorCodeNotAllowed, Allowed: []string{"open", "pending", "resolved", "closed"},
			},
		},
		{
			http.MethodGet, "/tickets?limit=201", "", "",
			client.FieldError{Pointer: "/limit", Code: client.FieldErrorCodeOutOfRange, In: client.FieldErrorInQuery, Limit: limit(200)},
		},
		{
			http.MethodGet, "/tickets?limit=0", "", "",
			client.FieldError{Pointer: "/limit", Code: client.FieldErrorCodeOutOfRange, In: client.FieldErrorInQuery, Limit: limit(1)},
		},
		{
			http.MethodGet, "/tickets?colour=red", "", "",
			client.FieldError{Pointer: "/colour", Code: client.FieldErrorCodeUnknown, In: client.FieldErrorInQuery},
		},
		{
			http.MethodPost, "/tickets", `{"title":"x","description":"x"}`, "Idempotency-Key: " + strings.Repeat("k", 256),
			client.FieldError{
				Pointer: "/Idempotency-Key", Code: client.FieldErrorCodeTooLong, In: client.FieldErrorInHeader, Limit: limit(255),
			},
		},
	} {
		header := []string{contentJSON}
		if c.header != "" {
			header = append(header, c.header)
		}
		got := u.Do(t, c.method, c.path, c.body, header...)
		var problem plain.Problem
		require.NoError(t, json.Unmarshal(got.Body, &problem))
		require.Equal(t, []client.FieldError{c.want}, problem.Errors, "%s %s", c.method, c.path)
	}
}
