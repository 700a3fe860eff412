package api_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"hash"
	"maps"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
)

const (
	// keyID identifies the key of desk.Secret. It depends only on the secret. A release that changes it ends every
	// session.
	keyID = "9e133c92a53e2d1d"
)

// forgery has the parts of a token: a genuine one, until a test changes something. It is signed without the product's
// library.
type forgery struct {
	header, claims map[string]any
	hash           func() hash.Hash
	key            string
}

// genuineToken returns the parts of a genuine token of the account's session. The account must not have changed since
// it was created.
func genuineToken(t *testing.T, u *apitest.User, now time.Time) forgery {
	t.Helper()
	return forgery{
		header: map[string]any{"alg": "HS256", "typ": "at+jwt", "kid": keyID},
		claims: map[string]any{
			"iss": "support-backend", "aud": []string{"support-backend"}, "sub": u.ID.String(), "jti": uuid.NewString(),
			"iat": now.Unix(), "exp": now.Add(15 * time.Minute).Unix(), "sid": u.Session(t).String(), "ver": 1,
		},
		hash: sha256.New,
		key:  desk.Secret,
	}
}

// saying returns a copy with one claim changed; nil removes it.
func (f forgery) saying(claim string, value any) forgery {
	f.claims = changeMember(f.claims, claim, value)
	return f
}

// headed returns a copy with one member of the header changed; nil removes it.
func (f forgery) headed(member string, value any) forgery {
	f.header = changeMember(f.header, member, value)
	return f
}

// signed returns a copy that names an algorithm and is signed with a hash and a key.
func (f forgery) signed(algorithm string, h func() hash.Hash, key string) forgery {
	f.hash, f.key = h, key
	return f.headed("alg", algorithm)
}

func changeMember(object map[string]any, name string, value any) map[string]any {
	object = maps.Clone(object)
	object[name] = value
	if value == nil {
		delete(object, name)
	}
	return object
}

func (f forgery) token(t *testing.T) string {
	t.Helper()
	text := jsonSegment(t, f.header) + "." + jsonSegment(t, f.claims)
	mac := hmac.New(f.hash, []byte(f.key))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func jsonSegment(t *testing.T, value any) string {
	t.Helper()
	return base64.RawURLEncoding.EncodeToString([]byte(jsonText(t, value)))
}

func jsonText(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}
