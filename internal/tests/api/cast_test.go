package api_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash"
	"maps"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

const (
	// keyID is the name of desk.Secret's key. It follows from the secret alone, and a release that changes it ends
	// every session.
	keyID = "9e133c92a53e2d1d"

	// olderHash is apitest.Password's hash with parameters that cost nothing, as an older release may have stored it.
	olderHash = "$argon2id$v=19$m=8,t=1,p=1$b2xkZXIgcGFyYW1ldGVycw$s037/kmyQ30MbnUgU5hA01oLcIWA+K+Ov++m2in9oV4"

	// fixedRequestID in all requests makes equal responses equal byte for byte.
	fixedRequestID = "X-Request-Id: the-same-request"
)

// forgery is what a token is made of: a genuine one, until something is changed. It is signed without the library that
// the product uses.
type forgery struct {
	header, claims map[string]any
	hash           func() hash.Hash
	key            string
}

// genuineToken returns what a token of the member's session is made of.
func genuineToken(m member, now time.Time) forgery {
	return forgery{
		header: map[string]any{"alg": "HS256", "typ": "at+jwt", "kid": keyID},
		claims: map[string]any{
			"iss": "support-backend", "aud": []string{"support-backend"}, "sub": m.ID.String(), "jti": uuid.NewString(),
			"iat": now.Unix(), "exp": now.Add(15 * time.Minute).Unix(), "sid": m.session.String(), "ver": m.TokenVersion,
		},
		hash: sha256.New,
		key:  desk.Secret,
	}
}

// saying returns a copy with one claim changed; nil takes it away.
func (f forgery) saying(claim string, value any) forgery {
	f.claims = changeMember(f.claims, claim, value)
	return f
}

// headed returns a copy with one member of the header changed; nil takes it away.
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

// cast is a server and somebody in every role: two customers, of whom one owns things, and staff.
type cast struct {
	*desk.Desk
	owner, other, agent, admin member
	// duplicate is another ticket of the owner's, for what takes two.
	duplicate string
	// contents is the statement that sums the whole database up, or returns nothing while an answer is being written.
	contents string
}

// member is an account with a session and an access token of it.
type member struct {
	sqlc.User
	session uuid.UUID
	token   string
}

func newCast(t *testing.T) *cast {
	t.Helper()
	return newCastOn(t, desk.Options{})
}

func newCastOn(t *testing.T, o desk.Options) *cast {
	t.Helper()
	c := &cast{Desk: desk.New(t, o)}
	c.hire(t)
	tables := storetest.QueryText(t, c.DatabaseURL,
		"SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_tables WHERE schemaname = 'public'")
	var sums []string
	for table := range strings.FieldsSeq(tables) {
		sums = append(sums, fmt.Sprintf(
			"SELECT '%[1]s ' || count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)), 0) AS line FROM %[1]s AS t",
			table))
	}
	require.Greater(t, len(sums), 4)
	c.contents = "SELECT CASE WHEN EXISTS (SELECT FROM ai_responses WHERE status = 'streaming') THEN '' ELSE " +
		"(SELECT string_agg(line, E'\\n' ORDER BY line) FROM (" + strings.Join(sums, " UNION ALL ") + ") AS lines) END"
	return c
}

// hire makes somebody in every role.
func (c *cast) hire(t *testing.T) {
	t.Helper()
	c.owner, c.other = c.member(t, sqlc.UserRoleUser), c.member(t, sqlc.UserRoleUser)
	c.agent, c.admin = c.member(t, sqlc.UserRoleAgent), c.member(t, sqlc.UserRoleAdmin)
}

// stages are a few servers for many small tests. Most of what such a test costs is its database.
type stages chan *cast

func newStages(t *testing.T, o desk.Options) stages {
	t.Helper()
	all := make(stages, 2*runtime.GOMAXPROCS(0))
	for range cap(all) {
		all <- newCastOn(t, o)
	}
	return all
}

// cast returns a cast of new people on a server that nobody else uses until the test ends.
func (all stages) cast(t *testing.T) *cast {
	t.Helper()
	stage := <-all
	t.Cleanup(func() { all <- stage })
	c := &cast{Desk: stage.Desk, contents: stage.contents}
	c.hire(t)
	return c
}

func (c *cast) member(t *testing.T, role sqlc.UserRole) member {
	t.Helper()
	id := uuid.Must(uuid.NewV7())
	user, err := c.Store.CreateUser(t.Context(), sqlc.CreateUserParams{
		ID: id, Email: "member-" + id.String() + "@example.com", PasswordHash: olderHash, Role: role,
	})
	require.NoError(t, err)
	m := member{User: sqlc.User(user), session: c.newSession(t, sqlc.User(user))}
	m.token = genuineToken(m, time.Now()).token(t)
	return m
}

// newSession begins a session for an account, without its password.
func (c *cast) newSession(t *testing.T, user sqlc.User) uuid.UUID {
	t.Helper()
	id := uuid.Must(uuid.NewV7())
	hash := sha256.Sum256(id[:])
	_, err := c.Store.CreateSession(t.Context(), sqlc.CreateSessionParams{
		ID: id, UserID: user.ID, PasswordHash: user.PasswordHash, TokenHash: hash[:], IdleSeconds: 3600,
	})
	require.NoError(t, err)
	return id
}

// again returns the member with another session.
func (c *cast) again(t *testing.T, m member) member {
	t.Helper()
	m.session = c.newSession(t, m.User)
	m.token = genuineToken(m, time.Now()).token(t)
	return m
}

// bearer is the member's Authorization header.
func (m member) bearer() string { return "Authorization: Bearer " + m.token }

// snapshot sums up every row of every table, once no answer is being written.
func (c *cast) snapshot(t *testing.T) string {
	t.Helper()
	contents := storetest.QueryText(t, c.DatabaseURL, c.contents)
	if contents == "" {
		require.Eventually(t, func() bool {
			contents = storetest.QueryText(t, c.DatabaseURL, c.contents)
			return contents != ""
		}, patience, 10*time.Millisecond)
	}
	return contents
}

// count counts rows.
func countRows(t *testing.T, s *desk.Desk, from string, args ...any) int {
	t.Helper()
	return storetest.QueryInt(t, s.DatabaseURL, "SELECT count(*) FROM "+from, args...)
}

// requireSame wants two responses not to be told apart. The time does not count.
func requireSame(t *testing.T, want, got apitest.Response, name string) {
	t.Helper()
	want.Header, got.Header = want.Header.Clone(), got.Header.Clone()
	want.Header.Del("Date")
	got.Header.Del("Date")
	require.Equal(t, want.Status, got.Status, name)
	require.Equal(t, string(want.Body), string(got.Body), name)
	require.Equal(t, want.Header, got.Header, name)
}
