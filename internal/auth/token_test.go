package auth_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
)

// forge has the parts of a token: a valid one, until a test changes something.
type forge struct {
	method jwt.SigningMethod
	key    any
	header map[string]any
	claims jwt.MapClaims
}

// newForge returns the parts of a valid token of the account.
func newForge(t *testing.T, b *fixture, user sqlc.User) forge {
	t.Helper()
	genuine, _ := b.signIn(t, user)
	parsed, _, err := jwt.NewParser().ParseUnverified(genuine, jwt.MapClaims{})
	require.NoError(t, err)
	claims, ok := parsed.Claims.(jwt.MapClaims)
	require.True(t, ok)
	require.Equal(t, user.ID.String(), claims["sub"])
	return forge{method: jwt.SigningMethodHS256, key: []byte(secret), header: parsed.Header, claims: claims}
}

func (f forge) sign(t *testing.T) string {
	t.Helper()
	token := jwt.Token{Method: f.method, Header: f.header, Claims: f.claims}
	signed, err := token.SignedString(f.key)
	require.NoError(t, err)
	return signed
}

// withHeader returns a copy with one member of the header changed; nil removes it.
func (f forge) withHeader(name string, value any) forge {
	f.header = changed(f.header, name, value)
	return f
}

// withClaim does the same for claims.
func (f forge) withClaim(name string, value any) forge {
	f.claims = changed(f.claims, name, value)
	return f
}

// by changes the algorithm and the key.
func (f forge) by(method jwt.SigningMethod, key any) forge {
	f.method, f.key = method, key
	return f.withHeader("alg", method.Alg())
}

func changed(m map[string]any, name string, value any) map[string]any {
	m = maps.Clone(m)
	m[name] = value
	if value == nil {
		delete(m, name)
	}
	return m
}

// forgedClaims returns tokens with valid signatures and invalid claims.
func forgedClaims(f forge, now time.Time) map[string]forge {
	late, early := now.Add(-auth.TokenLeeway-time.Second).Unix(), now.Add(auth.TokenLeeway+time.Second).Unix()
	subject, _ := f.claims["sub"].(string)
	session, _ := f.claims["sid"].(string)
	return map[string]forge{
		"no exp":               f.withClaim("exp", nil),
		"exp past":             f.withClaim("exp", late),
		"exp at the leeway":    f.withClaim("exp", late+1),
		"exp zero":             f.withClaim("exp", 0),
		"exp negative":         f.withClaim("exp", -1),
		"exp no number":        f.withClaim("exp", "tomorrow"),
		"exp list":             f.withClaim("exp", []int64{early}),
		"nbf in the future":    f.withClaim("nbf", early),
		"iat in the future":    f.withClaim("iat", early),
		"no iss":               f.withClaim("iss", nil),
		"wrong iss":            f.withClaim("iss", "support-backend.evil.example"),
		"iss list":             f.withClaim("iss", []string{"support-backend"}),
		"no aud":               f.withClaim("aud", nil),
		"wrong aud":            f.withClaim("aud", "other-service"),
		"aud list without us":  f.withClaim("aud", []string{"one", "two"}),
		"aud list empty":       f.withClaim("aud", []string{}),
		"aud in capitals":      f.withClaim("aud", "SUPPORT-BACKEND"),
		"no sub":               f.withClaim("sub", nil),
		"sub empty":            f.withClaim("sub", ""),
		"sub no UUID":          f.withClaim("sub", "admin"),
		"sub SQL":              f.withClaim("sub", "' OR 1=1 --"),
		"sub in upper case":    f.withClaim("sub", strings.ToUpper(subject)),
		"sub URN":              f.withClaim("sub", "urn:uuid:"+subject),
		"sub in braces":        f.withClaim("sub", "{"+subject+"}"),
		"sub without hyphens":  f.withClaim("sub", strings.ReplaceAll(subject, "-", "")),
		"sub with a space":     f.withClaim("sub", subject+" "),
		"sub number":           f.withClaim("sub", 1),
		"sub list":             f.withClaim("sub", []string{subject}),
		"sub nil UUID":         f.withClaim("sub", uuid.Nil.String()),
		"sub of nobody":        f.withClaim("sub", uuid.Must(uuid.NewV7()).String()),
		"no sid":               f.withClaim("sid", nil),
		"sid empty":            f.withClaim("sid", ""),
		"sid of the account":   f.withClaim("sid", subject),
		"sid of nothing":       f.withClaim("sid", uuid.Must(uuid.NewV7()).String()),
		"sid in upper case":    f.withClaim("sid", strings.ToUpper(session)),
		"sid in braces":        f.withClaim("sid", "{"+session+"}"),
		"sid nil UUID":         f.withClaim("sid", uuid.Nil.String()),
		"sid SQL":              f.withClaim("sid", "' OR 1=1 --"),
		"sid list":             f.withClaim("sid", []string{session}),
		"no ver":               f.withClaim("ver", nil),
		"ver before":           f.withClaim("ver", 0),
		"ver to come":          f.withClaim("ver", 2),
		"ver negative":         f.withClaim("ver", -1),
		"ver text":             f.withClaim("ver", "1"),
		"ver fraction":         f.withClaim("ver", 1.5),
		"ver too large":        f.withClaim("ver", int64(1)<<32+1),
		"typ of other purpose": f.withHeader("typ", "refresh+jwt"),
		"typ JWT":              f.withHeader("typ", "JWT"),
		"typ in capitals":      f.withHeader("typ", "AT+JWT"),
		"typ long form":        f.withHeader("typ", "application/at+jwt"),
		"no typ":               f.withHeader("typ", nil),
		"unknown kid":          f.withHeader("kid", "0123456789abcdef"),
		"kid path":             f.withHeader("kid", "../../x"),
		"kid /dev/null":        f.withHeader("kid", "../../../../dev/null"),
		"kid SQL":              f.withHeader("kid", "x' UNION SELECT 'key"),
		"kid empty":            f.withHeader("kid", ""),
		"kid number":           f.withHeader("kid", 0),
		"no kid":               f.withHeader("kid", nil),
		"crit":                 f.withHeader("crit", []string{"exp"}),
		"crit empty":           f.withHeader("crit", []string{}),
		"b64":                  f.withHeader("b64", false),
		"jku":                  f.withHeader("jku", "https://evil.example/keys"),
		"x5u":                  f.withHeader("x5u", "https://evil.example/chain"),
		"x5c":                  f.withHeader("x5c", []string{"MIIB"}),
		"jwk":                  f.withHeader("jwk", map[string]string{"kty": "oct", "k": "AAAA"}),
		"cty":                  f.withHeader("cty", "JWT"),
		"zip":                  f.withHeader("zip", "DEF"),
		"over 4 KiB":           f.withClaim("padding", strings.Repeat("x", auth.MaxTokenBytes)),
		"over 8 KiB":           f.withClaim("padding", strings.Repeat("x", 8<<10)),
		"alg in lower case":    f.withHeader("alg", "hs256"),
		"alg of another":       f.withHeader("alg", "HS512"),
		"no alg":               f.withHeader("alg", nil),
	}
}

// forgedSignatures returns tokens with valid claims and invalid signatures.
func forgedSignatures(t *testing.T, f forge) map[string]forge {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	require.NoError(t, err)
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	return map[string]forge{
		"none":                     f.by(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType),
		"HS384":                    f.by(jwt.SigningMethodHS384, []byte(secret)),
		"HS512":                    f.by(jwt.SigningMethodHS512, []byte(secret)),
		"RS256":                    f.by(jwt.SigningMethodRS256, private),
		"PS256":                    f.by(jwt.SigningMethodPS256, private),
		"HS256 with an RSA key":    f.by(jwt.SigningMethodHS256, public),
		"RS256 that is HS256":      f.withHeader("alg", "RS256"),
		"none with a signature":    f.withHeader("alg", "none"),
		"empty key":                f.by(jwt.SigningMethodHS256, []byte{}),
		"zero key":                 f.by(jwt.SigningMethodHS256, make([]byte, 32)),
		"other key":                f.by(jwt.SigningMethodHS256, []byte(strings.Repeat("x", 32))),
		"key's first half":         f.by(jwt.SigningMethodHS256, []byte(secret[:len(secret)/2])),
		"key with a line break":    f.by(jwt.SigningMethodHS256, []byte(secret+"\n")),
		"key that the token names": f.by(jwt.SigningMethodHS256, fmt.Append(nil, f.header["kid"])),
	}
}

// brokenTokens returns malformed variants of a valid token.
func brokenTokens(good string) map[string]string {
	parts := strings.Split(good, ".")
	header, claims, signature := parts[0], parts[1], parts[2]
	broken := map[string]string{
		"empty":                      "",
		"space":                      " ",
		"dots":                       "..",
		"many dots":                  strings.Repeat(".", 4000),
		"garbage":                    "garbage",
		"binary":                     "\x00\xff\xfe",
		"JSON":                       `{"alg":"none"}`,
		"two segments":               header + "." + claims,
		"four segments":              good + "." + signature,
		"five segments":              good + "..",
		"no signature":               header + "." + claims + ".",
		"no claims":                  header + ".." + signature,
		"no header":                  "." + claims + "." + signature,
		"twice":                      good + good,
		"swapped":                    claims + "." + header + "." + signature,
		"space before":               " " + good,
		"space after":                good + " ",
		"line break after":           good + "\n",
		"line break in a signature":  header + "." + claims + "." + signature[:9] + "\r\n" + signature[9:],
		"padded signature":           good + "=",
		"padded header":              header + "=." + claims + "." + signature,
		"signature as plain base64":  header + "." + claims + "." + strings.NewReplacer("-", "+", "_", "/").Replace(signature) + "==",
		"signature cut":              good[:len(good)-1],
		"signature of another token": header + "." + claims + "." + strings.Repeat("A", len(signature)),
		"header no JSON":             base64.RawURLEncoding.EncodeToString([]byte("HS256")) + "." + claims + "." + signature,
		"header null":                base64.RawURLEncoding.EncodeToString([]byte("null")) + "." + claims + "." + signature,
		"a megabyte":                 strings.Repeat("x", 1<<20),
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for _, c := range alphabet {
		if mutated := good[:len(good)-1] + string(c); mutated != good {
			broken["last character "+string(c)] = mutated
		}
	}
	return broken
}

func TestForgedTokensReturnTheSameError(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	user := b.addUser(t, "ada@example.com")
	f := newForge(t, b, user)
	good := f.sign(t)
	_, err := b.Authenticate(t.Context(), good)
	require.NoError(t, err, "the original is valid")

	tokens := brokenTokens(good)
	require.Greater(t, len(tokens), 63)
	for _, forgeries := range []map[string]forge{forgedClaims(f, b.clock.Now()), forgedSignatures(t, f)} {
		for name, forgery := range forgeries {
			require.NotContains(t, tokens, name)
			tokens[name] = forgery.sign(t)
		}
	}
	for name, token := range tokens {
		actor, err := b.Authenticate(t.Context(), token)
		require.True(t, apperr.Is(err, apperr.InvalidToken), "%s: %v", name, err)
		require.Equal(t, "The access token is invalid or has expired.", apperr.From(err).Detail, name)
		require.Empty(t, apperr.From(err).Fields, name)
		require.Equal(t, auth.Actor{}, actor, name)
		if len(token) > 20 {
			require.NotContains(t, err.Error(), token[:20], name)
		}
	}
}

func TestClocksMayDifferByTheLeeway(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	user := b.addUser(t, "ada@example.com")
	f := newForge(t, b, user)
	past, future := b.clock.Now().Add(-auth.TokenLeeway+time.Second), b.clock.Now().Add(auth.TokenLeeway)
	for name, token := range map[string]forge{
		"exp within the leeway": f.withClaim("exp", past.Unix()),
		"nbf within the leeway": f.withClaim("nbf", future.Unix()),
		"iat within the leeway": f.withClaim("iat", future.Unix()),
		"no iat":                f.withClaim("iat", nil),
		"aud list with us":      f.withClaim("aud", []string{"other-service", "support-backend"}),
		"members in the claims": f.withClaim("role", "admin"),
	} {
		actor, err := b.Authenticate(t.Context(), token.sign(t))
		require.NoError(t, err, name)
		require.Equal(t, user.ID, actor.ID, name)
		require.Equal(t, f.claims["sid"], actor.SessionID.String(), name)
	}
}

func TestTokenExpires(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	token, _ := b.signIn(t, b.addUser(t, "ada@example.com"))
	b.clock.Advance(tokenTTL + auth.TokenLeeway - time.Second)
	_, err := b.Authenticate(t.Context(), token)
	require.NoError(t, err)
	b.clock.Advance(time.Second)
	_, err = b.Authenticate(t.Context(), token)
	require.True(t, apperr.Is(err, apperr.InvalidToken), "%v", err)
}

func TestTokenBelongsToOneSecret(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	user := b.addUser(t, "ada@example.com")
	other, err := auth.NewService(b.store, auth.Options{Secret: []byte("another secret of at least 32 bytes"), TokenTTL: tokenTTL, Now: b.clock.Now})
	require.NoError(t, err)
	same, err := auth.NewService(b.store, auth.Options{Secret: []byte(secret), TokenTTL: tokenTTL, Now: b.clock.Now})
	require.NoError(t, err)
	token, session := b.signIn(t, user)
	_, err = other.Authenticate(t.Context(), token)
	require.True(t, apperr.Is(err, apperr.InvalidToken), "%v", err)
	_, err = same.Authenticate(t.Context(), token)
	require.NoError(t, err, "replicas accept each other's tokens")
	again, _, err := b.SignAccessToken(user.ID, session, user.TokenVersion)
	require.NoError(t, err)
	require.NotEqual(t, token, again, "each token has its own id")
}

func TestLifetimesOfTokens(t *testing.T) {
	t.Parallel()
	require.Equal(t, 15*time.Minute, tokenTTL)
	require.Equal(t, 30*time.Second, auth.TokenLeeway)
	require.LessOrEqual(t, auth.AccountTTL, time.Second)
}
