package api_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

const contentJSON = "Content-Type: application/json"

func freshEmail() string { return "new-" + uuid.NewString() + "@example.com" }

// post sends a value as JSON.
func post(t *testing.T, s *desk.Desk, path string, body any) apitest.Response {
	t.Helper()
	return s.Do(t, http.MethodPost, path, jsonText(t, body), contentJSON, fixedRequestID)
}

// requireField checks that one place in the body is refused.
func requireField(t *testing.T, r apitest.Response, pointer string, code client.FieldErrorCode, name string) {
	t.Helper()
	require.Equal(t, http.StatusUnprocessableEntity, r.Status, "%s: %s", name, r.Body)
	problem := r.RequireProblem(t, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed)
	require.Len(t, problem.Errors, 1, name)
	require.Equal(t, pointer, problem.Errors[0].Pointer, name)
	require.Equal(t, code, problem.Errors[0].Code, name)
}

func TestPasswordsOf8To128CharactersAreAcceptedUnchanged(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	for name, password := range map[string]string{
		"8":                    "xK9#qLm2",
		"64":                   strings.Repeat("lorem ip", 8),
		"128":                  strings.Repeat("dolor si", 16),
		"8 emoji":              "🔑🦄🐟🌵🍋🚲🎺🏡",
		"128 emoji, 512 bytes": strings.Repeat("🔑🦄🐟🌵🍋🚲🎺🏡", 16),
		"spaces at both ends":  "  a spaced one  ",
		"decomposed":           "cafe\u0301 cafe\u0301",
		"line breaks and tabs": "one\ntwo\tthree\r\n",
		"quotes and SQL":       `'"; DROP TABLE users; --`,
	} {
		email := freshEmail()
		created := post(t, s, "/auth/signup", map[string]string{"email": email, "password": password})
		require.Equal(t, http.StatusCreated, created.Status, "%s: %s", name, created.Body)
		require.NotContains(t, string(created.Body), "password")
		for attempt, want := range map[string]int{
			password:       http.StatusOK,
			password + "x": http.StatusUnauthorized,
		} {
			got := post(t, s, "/auth/login", map[string]string{"email": email, "password": attempt})
			require.Equal(t, want, got.Status, "%s: %s", name, got.Body)
		}
	}
}

// Keyboards differ in how they compose characters.
func TestPasswordWorksComposedAndDecomposed(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	composed, decomposed := "caf\u00e9 cr\u00e8me", "cafe\u0301 cre\u0300me"
	for _, c := range [][2]string{
		{composed, decomposed},
		{decomposed, composed},
		{strings.Repeat("\u00e9clair\u00e9 ", 16), strings.Repeat("e\u0301claire\u0301 ", 16)},
	} {
		email := freshEmail()
		created := post(t, s, "/auth/signup", map[string]string{"email": email, "password": c[0]})
		require.Equal(t, http.StatusCreated, created.Status, "%s", created.Body)
		require.Equal(t, http.StatusOK, post(t, s, "/auth/login", map[string]string{"email": email, "password": c[1]}).Status)
	}
}

func TestAddressesAreTrimmed(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	email := freshEmail()
	created := post(t, s, "/auth/signup", map[string]string{"email": " " + email + "\n", "password": apitest.Password})
	require.Equal(t, http.StatusCreated, created.Status, "%s", created.Body)
	for _, spelling := range []string{email, "\t" + email + "\u00a0 ", email + "\r\n"} {
		in := post(t, s, "/auth/login", map[string]string{"email": spelling, "password": apitest.Password})
		require.Equal(t, http.StatusOK, in.Status, "%s", in.Body)
		form := url.Values{"username": {spelling}, "password": {apitest.Password}}.Encode()
		in = s.Do(t, http.MethodPost, "/auth/login", form, contentForm)
		require.Equal(t, http.StatusOK, in.Status, "%s", in.Body)
		post(t, s, "/auth/signup", map[string]string{"email": spelling, "password": apitest.Password}).
			RequireProblem(t, http.StatusConflict, client.ProblemCodeEmailTaken)
	}
}

// The product's own accounts have addresses in .invalid.
func TestNobodySignsUpUnderInvalid(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	admin := s.Staff(t, sqlc.UserRoleAdmin)
	for _, domain := range []string{"customer.invalid", "service.invalid", "a.invalid", "CUSTOMER.INVALID", "\uff41.invalid"} {
		body := map[string]string{"email": uuid.NewString() + "@" + domain, "password": apitest.Password}
		requireField(t, post(t, s, "/auth/signup", body), "/email", client.FieldErrorCodeNotAllowed, domain)
		got := admin.Do(t, http.MethodPost, "/users", jsonText(t, body), contentJSON)
		requireField(t, got, "/email", client.FieldErrorCodeNotAllowed, domain)
	}
	body := map[string]string{"email": "ada@notinvalid.example", "password": apitest.Password}
	require.Equal(t, http.StatusCreated, post(t, s, "/auth/signup", body).Status)
}

func TestPasswordsAreComparedExactly(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	email, password := freshEmail(), " Cafe\u0301 Müller "
	require.Equal(t, http.StatusCreated,
		post(t, s, "/auth/signup", map[string]string{"email": email, "password": password}).Status)
	for name, other := range map[string]string{
		"trimmed":        strings.TrimSpace(password),
		"space less":     password[:len(password)-1],
		"lower case":     strings.ToLower(password),
		"no-break space": strings.ReplaceAll(password, " ", "\u00A0"),
	} {
		got := post(t, s, "/auth/login", map[string]string{"email": email, "password": other})
		require.Equal(t, http.StatusUnauthorized, got.Status, "%s: %s", name, got.Body)
	}
}

func TestPasswordOfAnotherLengthIsRefused(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	const short, long = client.FieldErrorCodeTooShort, client.FieldErrorCodeTooLong
	for password, want := range map[string]client.FieldErrorCode{
		"":                          short,
		"xK9#qLm":                   short,
		strings.Repeat("🔑", 7):      short,
		strings.Repeat("x", 129):    long,
		strings.Repeat("🔑", 129):    long,
		strings.Repeat("x", 60_000): long,
	} {
		got := post(t, s, "/auth/signup", map[string]string{"email": freshEmail(), "password": password})
		requireField(t, got, "/password", want, "of "+string(want))
	}
	require.Zero(t, countRows(t, s, "users"))
}

func TestCommonPasswordsAreRefusedInAnyCase(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	for _, password := range []string{
		"password", "PASSWORD", "PassWord", "aaaaaaaa", "ABCDEFGHI", "        ", "password1", "Password123", "12345678", "QWERTYUIOP", "iLoveYou", "TrustNo1",
	} {
		got := post(t, s, "/auth/signup", map[string]string{"email": freshEmail(), "password": password})
		problem := got.RequireProblem(t, http.StatusUnprocessableEntity, client.ProblemCodeWeakPassword)
		require.Equal(t, []client.FieldError{{Pointer: "/password", Code: client.FieldErrorCodeNotAllowed}}, problem.Errors)
		if !strings.EqualFold(password, "password") { // The response contains this word anyway.
			require.NotContains(t, string(got.Body), password, "the response does not repeat the password")
		}
	}
	require.Zero(t, countRows(t, s, "users"))
}

func TestSpellingsOfAnAddressBelongToOneAccount(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	created := post(t, s, "/auth/signup", map[string]string{"email": "Kim.Smith+1@Example.com", "password": apitest.Password})
	require.Equal(t, http.StatusCreated, created.Status, "%s", created.Body)
	var user client.User
	require.NoError(t, json.Unmarshal(created.Body, &user))
	require.Equal(t, "kim.smith+1@example.com", user.Email)
	require.Equal(t, client.RoleUser, user.Role)
	require.Equal(t, uuid.Version(7), user.ID.Version())

	for name, email := range map[string]string{
		"the same":               "kim.smith+1@example.com",
		"upper case":             "KIM.SMITH+1@EXAMPLE.COM",
		"full width":             "ｋｉｍ．ｓｍｉｔｈ＋１＠ｅｘａｍｐｌｅ．ｃｏｍ",
		"full width, upper case": "ＫＩＭ．smith+1@example.com",
		"Kelvin sign":            "\u212Aim.smith+1@example.com",
		"long s":                 "kim.\u017Fmith+1@example.com",
		"superscript":            "kim.smith+\u00B9@example.com",
	} {
		got := post(t, s, "/auth/signup", map[string]string{"email": email, "password": apitest.Password})
		require.Equal(t, http.StatusConflict, got.Status, "%s: %s", name, got.Body)
		got.RequireProblem(t, http.StatusConflict, client.ProblemCodeEmailTaken)
	}
	in := post(t, s, "/auth/login", map[string]string{"email": "ＫＩＭ．smith＋1@Example.COM", "password": apitest.Password})
	require.Equal(t, http.StatusOK, in.Status, "%s", in.Body)
	require.Equal(t, 1, countRows(t, s, "users"))
}

func TestSignUpRefusesInvalidAddresses(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	const format, long, characters = client.FieldErrorCodeInvalidFormat, client.FieldErrorCodeTooLong,
		client.FieldErrorCodeInvalidCharacters
	for name, c := range map[string]struct {
		email string
		code  client.FieldErrorCode
	}{
		"no at sign":         {"ada.example.com", format},
		"two dots":           {"a@b..c", format},
		"quoted":             {`"x y"@z`, format},
		"header injection":   {"a@b.example\r\nBcc: x@y.example", format},
		"Cyrillic homoglyph": {"\u0430da@example.com", format},
		"Turkish dotted I":   {"\u0130da@example.com", format},
		"IDN homoglyph":      {"ada@ex\u0430mple.com", format},
		"display form":       {"X <a@b.example>", format},
		"bidi override":      {"ada\u202E@example.com", format},
		"zero-width space":   {"ada\u200B@example.com", format},
		"two addresses":      {"a@b.example,c@d.example", format},
		"local part of 65":   {strings.Repeat("a", 65) + "@example.com", format},
		"NUL":                {"ada\x00@example.com", characters},
		"escape":             {"ada\x1b[31m@example.com", characters},
		"noncharacter":       {"ada\uFFFE@example.com", characters},
	} {
		got := post(t, s, "/auth/signup", map[string]string{"email": c.email, "password": apitest.Password})
		requireField(t, got, "/email", c.code, name)
		require.NotContains(t, string(got.Body), "example", "%s: it is not repeated", name)
	}
	for name, email := range map[string]string{
		"255 characters": strings.Repeat("a", 64) + "@" + strings.Repeat(strings.Repeat("b", 61)+".", 3) + "info",
		"60000":          strings.Repeat("a", 60_000),
	} {
		got := post(t, s, "/auth/signup", map[string]string{"email": email, "password": apitest.Password})
		problem := got.RequireProblem(t, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed)
		longest := int64(254)
		require.Contains(t, problem.Errors, client.FieldError{Pointer: "/email", Code: long, Limit: &longest}, name)
	}
	require.Zero(t, countRows(t, s, "users"))
}

func TestSignUpCannotChooseARole(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	for _, role := range []string{"agent", "admin"} {
		body := map[string]string{"email": freshEmail(), "password": apitest.Password, "role": role}
		post(t, s, "/auth/signup", body).RequireProblem(t, http.StatusForbidden, client.ProblemCodeRoleNotAllowed)
	}
	for name, role := range map[string]any{
		"upper case":     "ADMIN",
		"capital":        "Admin",
		"trailing space": "Admin ",
		"leading space":  " admin",
		"full width":     "ａｄｍｉｎ",
		"unknown":        "root",
		"empty":          "",
		"list of roles":  "user,admin",
		"array":          []string{"admin"},
		"operator":       map[string]string{"$ne": ""},
		"null":           nil,
		"number":         2,
		"true":           true,
	} {
		got := post(t, s, "/auth/signup", map[string]any{"email": freshEmail(), "password": apitest.Password, "role": role})
		problem := got.RequireProblem(t, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed)
		require.NotEmpty(t, problem.Errors, name)
		for _, field := range problem.Errors {
			require.Equal(t, "/role", field.Pointer, name)
			require.Contains(t, []client.FieldErrorCode{
				client.FieldErrorCodeNotAllowed, client.FieldErrorCodeInvalidType,
			}, field.Code, name)
		}
	}
	require.Zero(t, countRows(t, s, "users"))

	body := map[string]string{"email": freshEmail(), "password": apitest.Password, "role": "user"}
	require.Equal(t, http.StatusCreated, post(t, s, "/auth/signup", body).Status, "the role of every new account")
}

func TestSignUpRefusesUnknownAndRepeatedMembers(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	const unknown, duplicate = client.FieldErrorCodeUnknown, client.FieldErrorCodeDuplicate
	for name, c := range map[string]struct {
		more    string
		pointer string
		code    client.FieldErrorCode
	}{
		"ROLE":              {`"ROLE":"admin"`, "/ROLE", unknown},
		"Role and role":     {`"role":"user","Role":"admin"`, "/Role", unknown},
		"role with long s":  {`"pa\u017Fsword":"x"`, "/pa\u017Fsword", unknown},
		"role twice":        {`"role":"user","role":"admin"`, "/role", duplicate},
		"role in escapes":   {`"role":"user","\u0072ole":"admin"`, "/role", duplicate},
		"e-mail twice":      {`"email":"b@example.com"`, "/email", duplicate},
		"password twice":    {`"password":"correct horse"`, "/password", duplicate},
		"EMAIL":             {`"EMAIL":"b@example.com"`, "/EMAIL", unknown},
		"id":                {`"id":"0199d3c5-8e14-7b1c-a1c4-3d6b0c9e7f10"`, "/id", unknown},
		"password_hash":     {`"password_hash":"x"`, "/password_hash", unknown},
		"created_at":        {`"created_at":"2020-01-01T00:00:00Z"`, "/created_at", unknown},
		"is_admin":          {`"is_admin":true`, "/is_admin", unknown},
		"prototype":         {`"__proto__":{"role":"admin"}`, "/__proto__", unknown},
		"empty name":        {`"":"x"`, "/", unknown},
		"slash and a tilde": {`"a/b~c":1`, "/a~1b~0c", unknown},
	} {
		body := `{"email":"ada@example.com","password":"` + apitest.Password + `",` + c.more + `}`
		got := s.Do(t, http.MethodPost, "/auth/signup", body, contentJSON)
		requireField(t, got, c.pointer, c.code, name)
	}
	require.Zero(t, countRows(t, s, "users"))
}

// Each server computes at least two hashes in parallel. With two requests per server at a time, none has to wait and is
// refused, even on a slow machine.
func TestParallelSignUpsCreateOneAccount(t *testing.T) {
	t.Parallel()
	const servers, atOnce, requests = 3, 2, 100
	database, _ := storetest.Lend(t)
	results := make(chan apitest.Response, requests)
	queue := make(chan struct{}, requests)
	for range requests {
		queue <- struct{}{}
	}
	close(queue)
	var wg sync.WaitGroup
	for range servers {
		s := desk.New(t, desk.Options{DatabaseURL: database, NoAI: true})
		for range atOnce {
			wg.Go(func() {
				for range queue {
					results <- post(t, s, "/auth/signup", map[string]string{"email": "ada@example.com", "password": apitest.Password})
				}
			})
		}
	}
	wg.Wait()
	close(results)
	statuses := make(map[int]int)
	for result := range results {
		statuses[result.Status]++
		if result.Status == http.StatusConflict {
			result.RequireProblem(t, http.StatusConflict, client.ProblemCodeEmailTaken)
		}
	}
	require.Equal(t, map[int]int{http.StatusCreated: 1, http.StatusConflict: requests - 1}, statuses)
	require.Equal(t, 1, storetest.QueryInt(t, database, "SELECT count(*) FROM users"))
}
