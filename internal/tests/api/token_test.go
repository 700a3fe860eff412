package api_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// fixedClock returns a clock that stands still, at a whole second.
func fixedClock() func() time.Time {
	now := time.Now().Truncate(time.Second)
	return func() time.Time { return now }
}

// tokensWithWrongClaims returns tokens with genuine signatures.
func tokensWithWrongClaims(f forgery, now time.Time) map[string]forgery {
	past, future := now.Add(-31*time.Second).Unix(), now.Add(31*time.Second).Unix()
	sub := f.claims["sub"].(string) //nolint:errcheck,forcetypeassert // sub is a string.
	return map[string]forgery{
		"no exp":              f.saying("exp", nil),
		"exp past":            f.saying("exp", past),
		"exp zero":            f.saying("exp", 0),
		"exp text":            f.saying("exp", "never"),
		"exp object":          f.saying("exp", map[string]any{}),
		"nbf future":          f.saying("nbf", future),
		"iat future":          f.saying("iat", future),
		"wrong iss":           f.saying("iss", "https://evil.example"),
		"no iss":              f.saying("iss", nil),
		"wrong aud":           f.saying("aud", "other-service"),
		"no aud":              f.saying("aud", nil),
		"aud list without us": f.saying("aud", []string{"a", "b", "support-backend-2"}),
		"aud list of numbers": f.saying("aud", []int{1}),
		"sub no UUID":         f.saying("sub", "admin"),
		"sub upper case":      f.saying("sub", strings.ToUpper(sub)),
		"sub in braces":       f.saying("sub", "{"+sub+"}"),
		"sub with NUL":        f.saying("sub", sub+"\x00"),
		"no sub":              f.saying("sub", nil),
		"sub SQL":             f.saying("sub", "'; DROP TABLE users --"),
		"sub of nobody":       f.saying("sub", uuid.Must(uuid.NewV7()).String()),
		"sid no UUID":         f.saying("sid", "admin"),
		"no sid":              f.saying("sid", nil),
		"sid SQL":             f.saying("sid", "'; DROP TABLE sessions --"),
		"sid of nothing":      f.saying("sid", uuid.Must(uuid.NewV7()).String()),
		"no ver":              f.saying("ver", nil),
		"another ver":         f.saying("ver", 2),
		"ver text":            f.saying("ver", "1"),
		"8 KiB":               f.saying("jti", strings.Repeat("x", 8<<10)),
	}
}

// tokensWithWrongHeaders returns tokens whose header asks for another key or algorithm.
func tokensWithWrongHeaders(f forgery) map[string]forgery {
	const publicKey = "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n-----END PUBLIC KEY-----\n"
	return map[string]forgery{
		"alg none":             f.headed("alg", "none"),
		"alg None":             f.headed("alg", "None"),
		"no alg":               f.headed("alg", nil),
		"alg list":             f.headed("alg", []string{"HS256"}),
		"HS384":                f.signed("HS384", sha512.New384, desk.Secret),
		"HS512":                f.signed("HS512", sha512.New, desk.Secret),
		"HS512 called HS256":   f.signed("HS256", sha512.New, desk.Secret),
		"RS256 by HMAC":        f.signed("RS256", sha256.New, publicKey),
		"HMAC by a public key": f.signed("HS256", sha256.New, publicKey),
		"RS256 by the secret":  f.signed("RS256", sha256.New, desk.Secret),
		"ES256 by the secret":  f.signed("ES256", sha256.New, desk.Secret),
		"EdDSA by the secret":  f.signed("EdDSA", sha256.New, desk.Secret),
		"empty key":            f.signed("HS256", sha256.New, ""),
		"key of zeros":         f.signed("HS256", sha256.New, strings.Repeat("\x00", 32)),
		"key of an example":    f.signed("HS256", sha256.New, "change-me"),
		"other key":            f.signed("HS256", sha256.New, strings.Repeat("k", 32)),
		"typ refresh":          f.headed("typ", "refresh+jwt"),
		"typ JWT":              f.headed("typ", "JWT"),
		"no typ":               f.headed("typ", nil),
		"unknown kid":          f.headed("kid", strings.Repeat("0", len(keyID))),
		"kid path":             f.headed("kid", "../../x"),
		"kid SQL":              f.headed("kid", "' UNION SELECT 'secret' --"),
		"kid list":             f.headed("kid", []string{keyID}),
		"no kid":               f.headed("kid", nil),
		"crit":                 f.headed("crit", []string{"exp"}),
		"unknown crit":         f.headed("crit", []string{"x"}).headed("x", 1),
		"jku":                  f.headed("jku", "http://127.0.0.1:1/keys"),
		"x5u":                  f.headed("x5u", "http://127.0.0.1:1/chain"),
		"jwk":                  f.headed("jwk", map[string]string{"kty": "oct", "k": "AA"}),
		"zip":                  f.headed("zip", "DEF"),
	}
}

// tokensWithWrongForm returns malformed variants of a genuine token.
func tokensWithWrongForm(good string) map[string]string {
	parts := strings.Split(good, ".")
	wrong := map[string]string{
		"empty":             "",
		"garbage":           "garbage",
		"letters over 127":  "\u00fc\u00fc\u00fc",
		"two dots":          "..",
		"2 segments":        parts[0] + "." + parts[1],
		"4 segments":        good + ".x",
		"5 segments":        good + ".x.y",
		"no signature":      parts[0] + "." + parts[1] + ".",
		"padded":            good + "=",
		"padded claims":     parts[0] + "." + parts[1] + "=." + parts[2],
		"plain base64":      parts[0] + "." + parts[1] + "." + strings.NewReplacer("_", "/", "-", "+").Replace(parts[2]) + "=",
		"two tokens":        good + " " + good,
		"token and a comma": good + ",",
		"quoted":            `"` + good + `"`,
		"8 KiB of letters":  strings.Repeat("x", 8<<10),
		"8 KiB of dots":     strings.Repeat(".", 8<<10),
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for _, c := range alphabet {
		if mutated := good[:len(good)-1] + string(c); mutated != good {
			wrong["signature ends with "+string(c)] = mutated
		}
	}
	return wrong
}

func TestForgedTokensGetTheSameResponse(t *testing.T) {
	t.Parallel()
	now := fixedClock()
	s := desk.New(t, desk.Options{Now: now})
	m := s.Customer(t)
	f := genuineToken(t, m, now())
	good := f.token(t)
	require.Equal(t, http.StatusOK, s.Do(t, http.MethodGet, "/me", "", "Authorization: Bearer "+good).Status,
		"what the forgeries are made from is taken")

	tokens := tokensWithWrongForm(good)
	require.Len(t, tokens, 16+63)
	for _, forgeries := range []map[string]forgery{tokensWithWrongClaims(f, now()), tokensWithWrongHeaders(f)} {
		for name, forged := range forgeries {
			require.NotContains(t, tokens, name)
			tokens[name] = forged.token(t)
		}
	}
	want := s.Do(t, http.MethodGet, "/me", "", fixedRequestID, "Authorization: Bearer x")
	want.RequireProblem(t, http.StatusUnauthorized, client.ProblemCodeInvalidToken)
	require.Equal(t, []string{`Bearer realm="support", error="invalid_token"`}, want.Header.Values("WWW-Authenticate"))
	for name, token := range tokens {
		got := s.Do(t, http.MethodGet, "/me", "", fixedRequestID, "Authorization: Bearer "+token)
		requireSame(t, want, got, name)
	}
}

func TestServersClocksMayDifferByHalfAMinute(t *testing.T) {
	t.Parallel()
	now := fixedClock()
	s := desk.New(t, desk.Options{Now: now})
	f := genuineToken(t, s.Customer(t), now())
	for name, token := range map[string]forgery{
		"exp 29 s ago":  f.saying("exp", now().Add(-29*time.Second).Unix()),
		"nbf in 30 s":   f.saying("nbf", now().Add(30*time.Second).Unix()),
		"iat in 30 s":   f.saying("iat", now().Add(30*time.Second).Unix()),
		"aud as a text": f.saying("aud", "support-backend"),
		"aud with us":   f.saying("aud", []string{"other-service", "support-backend"}),
	} {
		got := s.Do(t, http.MethodGet, "/me", "", "Authorization: Bearer "+token.token(t))
		require.Equal(t, http.StatusOK, got.Status, "%s: %s", name, got.Body)
	}
}

func TestTokenOfADeletedAccountIsRefused(t *testing.T) {
	t.Parallel()
	now := time.Now().Truncate(time.Second)
	s := desk.New(t, desk.Options{Now: func() time.Time { return now }})
	seen, unseen := s.Customer(t), s.Customer(t)
	require.Equal(t, http.StatusOK, s.Do(t, http.MethodGet, "/me", "", seen.Bearer()).Status)
	storetest.Exec(t, s.DatabaseURL, "DELETE FROM users")

	want := s.Do(t, http.MethodGet, "/me", "", fixedRequestID, "Authorization: Bearer x")
	requireSame(t, want, s.Do(t, http.MethodGet, "/me", "", fixedRequestID, unseen.Bearer()), "at once")
	// The server caches the caller for a second. No request runs while the clock moves.
	now = now.Add(time.Second)
	requireSame(t, want, s.Do(t, http.MethodGet, "/me", "", fixedRequestID, seen.Bearer()), "after a second")
	got := s.Do(t, http.MethodPost, "/tickets", `{"title":"A title","description":"A description."}`,
		"Content-Type: application/json", seen.Bearer())
	got.RequireProblem(t, http.StatusUnauthorized, client.ProblemCodeInvalidToken)
	require.Zero(t, countRows(t, s, "tickets"))
}

func TestTokenComesOnlyFromTheAuthorizationHeader(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	m := s.Customer(t)
	for name, header := range map[string]string{
		"Bearer":      "Authorization: Bearer " + m.Token,
		"lower case":  "Authorization: bearer " + m.Token,
		"upper case":  "Authorization: BEARER " + m.Token,
		"mixed case":  "authorization: bEaReR " + m.Token,
		"more spaces": "Authorization: Bearer   " + m.Token,
	} {
		got := s.Do(t, http.MethodGet, "/me", "", header)
		require.Equal(t, http.StatusOK, got.Status, "%s: %s", name, got.Body)
	}
	const bare = `Bearer realm="support"`
	for name, c := range map[string]struct {
		path   string
		header []string
	}{
		"no header":               {path: "/me"},
		"empty header":            {path: "/me", header: []string{"Authorization: "}},
		"Basic":                   {path: "/me", header: []string{"Authorization: Basic YWRhOnB3"}},
		"Digest":                  {path: "/me", header: []string{"Authorization: Digest username=ada"}},
		"token without a scheme":  {path: "/me", header: []string{"Authorization: " + m.Token}},
		"other scheme":            {path: "/me", header: []string{"Authorization: Token " + m.Token}},
		"scheme and a colon":      {path: "/me", header: []string{"Authorization: Bearer: " + m.Token}},
		"tab for the space":       {path: "/me", header: []string{"Authorization: Bearer\t" + m.Token}},
		"query parameter":         {path: "/me?access_token=" + m.Token},
		"query parameter token":   {path: "/tickets?token=" + m.Token},
		"cookie":                  {path: "/me", header: []string{"Cookie: access_token=" + m.Token}},
		"X-Access-Token":          {path: "/me", header: []string{"X-Access-Token: " + m.Token}},
		"proxy's header":          {path: "/me", header: []string{"Proxy-Authorization: Bearer " + m.Token}},
		"X-Forwarded-User":        {path: "/me", header: []string{"X-Forwarded-User: " + m.Email}},
		"X-HTTP-Method-Override":  {path: "/me", header: []string{"X-HTTP-Method-Override: OPTIONS"}},
		"X-Original-URL":          {path: "/me", header: []string{"X-Original-URL: /livez", "X-Rewrite-URL: /livez"}},
		"preflight's own headers": {path: "/me", header: []string{"Access-Control-Request-Method: GET"}},
	} {
		got := s.Do(t, http.MethodGet, c.path, "", c.header...)
		got.RequireProblem(t, http.StatusUnauthorized, client.ProblemCodeUnauthenticated)
		require.Equal(t, []string{bare}, got.Header.Values("WWW-Authenticate"), name)
	}
	got := s.Do(t, http.MethodGet, "/me?access_token="+m.Token, "", m.Bearer())
	got.RequireProblem(t, http.StatusBadRequest, client.ProblemCodeInvalidParameter)
}

func TestTwoAuthorizationHeadersAreRefused(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	m := s.Customer(t)
	for _, second := range []string{m.Bearer(), "Authorization: Basic YWRhOnB3", "Authorization: Bearer x", "Authorization: "} {
		for _, header := range [][]string{{m.Bearer(), second}, {second, m.Bearer()}} {
			s.Do(t, http.MethodGet, "/me", "", header...).
				RequireProblem(t, http.StatusBadRequest, client.ProblemCodeMalformedRequest)
		}
	}
}

func TestTokenOfLogInIsAccepted(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	m := s.Customer(t)
	user := s.LogIn(t, m.Email, apitest.Password)
	require.Equal(t, m.ID, user.ID)
	header, _, _ := strings.Cut(user.Token, ".")
	require.Equal(t, jsonSegment(t, genuineToken(t, m, time.Now()).header), header,
		"what these tests forge is what the product makes")
}
