package api_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/internal/app"
	"github.com/supportbackend/support/internal/config"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// olderHash is a hash of apitest.Password with cheap parameters, as an older release may have stored.
const olderHash = "$argon2id$v=19$m=8,t=1,p=1$b2xkZXIgcGFyYW1ldGVycw$s037/kmyQ30MbnUgU5hA01oLcIWA+K+Ov++m2in9oV4"

const contentForm = "Content-Type: application/x-www-form-urlencoded"

func storedHash(t *testing.T, s *desk.Desk, m *apitest.User) string {
	t.Helper()
	return storetest.QueryText(t, s.DatabaseURL, "SELECT password_hash FROM users WHERE id = $1", m.ID)
}

// requireToken checks that the login succeeded and that the token belongs to the member.
func requireToken(t *testing.T, s *desk.Desk, m *apitest.User, r apitest.Response, name string) {
	t.Helper()
	require.Equal(t, http.StatusOK, r.Status, "%s: %s", name, r.Body)
	var token client.AccessToken
	require.NoError(t, json.Unmarshal(r.Body, &token))
	require.Equal(t, client.AccessTokenTokenTypeBearer, token.TokenType)
	require.Equal(t, int32(900), token.ExpiresIn)
	require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
	me := s.Do(t, http.MethodGet, "/me", "", "Authorization: Bearer "+token.AccessToken)
	require.Equal(t, http.StatusOK, me.Status, name)
	require.Contains(t, string(me.Body), m.ID.String(), name)
}

func TestLogInAcceptsJSONAndTheOAuthForm(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	m := s.Customer(t)
	login := url.Values{"username": {m.Email}, "password": {apitest.Password}}
	with := func(pairs ...string) string {
		form := url.Values{"username": login["username"], "password": login["password"]}
		for i := 0; i < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		return form.Encode()
	}
	for name, c := range map[string]struct{ contentType, body string }{
		"JSON":              {contentJSON, jsonText(t, map[string]string{"email": m.Email, "password": apitest.Password})},
		"JSON with charset": {contentJSON + "; charset=UTF-8", jsonText(t, map[string]string{"email": strings.ToUpper(m.Email), "password": apitest.Password})},
		"form":              {contentForm, with("grant_type", "password")},
		"form, bare":        {contentForm, with()},
		"form, upper case":  {contentForm, with("username", strings.ToUpper(m.Email))},
		"form of Swagger UI": {contentForm, with("grant_type", "password", "scope", "user agent", "client_id", "",
			"client_secret", "")},
		"form with a client": {contentForm, with("grant_type", "password", "client_id", "explorer", "client_secret", "x")},
		"form with charset":  {contentForm + "; charset=utf-8", with("grant_type", "password")},
	} {
		requireToken(t, s, m, s.Do(t, http.MethodPost, "/auth/login", c.body, c.contentType), name)
	}
}

func TestLogInRefusesOtherForms(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	m := s.Customer(t)
	good := url.Values{"username": {m.Email}, "password": {apitest.Password}}.Encode()
	const unknown, duplicate = client.FieldErrorCodeUnknown, client.FieldErrorCodeDuplicate
	for name, c := range map[string]struct {
		body, pointer string
		code          client.FieldErrorCode
	}{
		"other grant":    {good + "&grant_type=client_credentials", "/grant_type", client.FieldErrorCodeNotAllowed},
		"no password":    {"username=" + url.QueryEscape(m.Email), "/password", client.FieldErrorCodeRequired},
		"no username":    {"password=x", "/username", client.FieldErrorCodeRequired},
		"unknown field":  {good + "&admin=true", "/admin", unknown},
		"e-mail as well": {good + "&email=x", "/email", unknown},
		"PASSWORD":       {good + "&PASSWORD=x", "/PASSWORD", unknown},
		"password twice": {good + "&password=x", "/password", duplicate},
		"username twice": {"username=x&" + good, "/username", duplicate},
		"NUL":            {good + "&scope=%00", "/scope", client.FieldErrorCodeInvalidCharacters},
		"no UTF-8":       {good + "&scope=%FF", "/scope", client.FieldErrorCodeInvalidCharacters},
	} {
		got := s.Do(t, http.MethodPost, "/auth/login", c.body, contentForm)
		requireField(t, got, c.pointer, c.code, name)
	}
	got := s.Do(t, http.MethodPost, "/auth/login", good+"&scope=%zz", contentForm)
	got.RequireProblem(t, http.StatusBadRequest, client.ProblemCodeMalformedRequest)
	got = s.Do(t, http.MethodPost, "/auth/login?"+good, "x=y", contentForm)
	got.RequireProblem(t, http.StatusBadRequest, client.ProblemCodeInvalidParameter)
	got = s.Do(t, http.MethodPost, "/auth/login", good, contentJSON)
	got.RequireProblem(t, http.StatusBadRequest, client.ProblemCodeMalformedRequest)
}

func TestUnknownAddressAndWrongPasswordLookTheSame(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	m := s.Customer(t)
	hash := storedHash(t, s, m)
	wrong := post(t, s, "/auth/login", map[string]string{"email": m.Email, "password": apitest.Password + "x"})
	wrong.RequireProblem(t, http.StatusUnauthorized, client.ProblemCodeInvalidCredentials)
	require.Equal(t, []string{`Bearer realm="support"`}, wrong.Header.Values("WWW-Authenticate"))
	for name, c := range map[string]struct{ email, password string }{
		"unknown address":           {freshEmail(), apitest.Password},
		"no address":                {"not an address", apitest.Password},
		"pattern":                   {"%", apitest.Password},
		"SQL":                       {"' OR '1'='1", "' OR '1'='1"},
		"homoglyph of the address":  {strings.Replace(m.Email, "e", "\u0435", 1), apitest.Password},
		"password in another case":  {m.Email, strings.ToUpper(apitest.Password)},
		"password of one character": {m.Email, "x"},
		"password's first half":     {m.Email, apitest.Password[:len(apitest.Password)/2]},
		"password of 512":           {m.Email, strings.Repeat("🔑", 512)},
		"the hash itself":           {m.Email, hash},
	} {
		requireSame(t, wrong, post(t, s, "/auth/login", map[string]string{"email": c.email, "password": c.password}), name)
	}
	for _, email := range []string{m.Email, freshEmail()} {
		form := url.Values{"username": {email}, "password": {"wrong"}}.Encode()
		requireSame(t, wrong, s.Do(t, http.MethodPost, "/auth/login", form, contentForm, fixedRequestID), "as a form")
	}
	require.Equal(t, hash, storedHash(t, s, m))
}

func TestCredentialsOfAnotherTypeAreRefused(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	m := s.Customer(t)
	for name, c := range map[string]struct {
		email, password any
		pointer         string
	}{
		"operator for a password": {m.Email, map[string]string{"$ne": ""}, "/password"},
		"list for a password":     {m.Email, []string{apitest.Password}, "/password"},
		"no password":             {m.Email, nil, "/password"},
		"true for a password":     {m.Email, true, "/password"},
		"number for a password":   {m.Email, 0, "/password"},
		"empty password":          {m.Email, "", "/password"},
		"password over 512":       {m.Email, strings.Repeat("x", 513), "/password"},
		"operator for an address": {map[string]string{"$gt": ""}, apitest.Password, "/email"},
		"list for an address":     {[]string{m.Email}, apitest.Password, "/email"},
		"empty address":           {"", apitest.Password, "/email"},
		"address over 254":        {strings.Repeat("x", 255), apitest.Password, "/email"},
	} {
		got := post(t, s, "/auth/login", map[string]any{"email": c.email, "password": c.password})
		problem := got.RequireProblem(t, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed)
		require.NotEmpty(t, problem.Errors, name)
		for _, field := range problem.Errors {
			require.Equal(t, c.pointer, field.Pointer, name)
		}
	}
}

func TestHashOfAnOlderReleaseIsReplacedOnce(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{Passwords: app.OptionsOf(config.Defaults()).Account.Passwords})
	m := s.Customer(t)
	storetest.Exec(t, s.DatabaseURL, "UPDATE users SET password_hash = $1", olderHash)
	right := map[string]string{"email": m.Email, "password": apitest.Password}
	wrong := map[string]string{"email": m.Email, "password": apitest.Password + "x"}

	require.Equal(t, http.StatusUnauthorized, post(t, s, "/auth/login", wrong).Status)
	require.Equal(t, olderHash, storedHash(t, s, m), "a wrong password replaces nothing")

	requireToken(t, s, m, post(t, s, "/auth/login", right), "with the older hash")
	replaced := storedHash(t, s, m)
	require.Regexp(t, `^\$argon2id\$v=19\$m=19456,t=2,p=1\$`, replaced)

	requireToken(t, s, m, post(t, s, "/auth/login", right), "with the new hash")
	require.Equal(t, http.StatusUnauthorized, post(t, s, "/auth/login", wrong).Status)
	require.Equal(t, replaced, storedHash(t, s, m), "the hash is replaced only once")
}
