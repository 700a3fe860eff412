package auth

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

const (
	// MinSecretBytes is the minimum length of the secret that signs tokens (RFC 7518, section 3.2).
	MinSecretBytes = 32

	tokenIssuer   = "support-backend"
	tokenAudience = "support-backend"
	tokenType     = "at+jwt" // RFC 9068, section 2.1
	tokenLeeway   = 30 * time.Second
	maxTokenBytes = 4096
)

var errToken = errors.New("auth: not one of our access tokens")

// claims are the claims of an access token: its account, its session, and its version of the account's tokens.
type claims struct {
	jwt.RegisteredClaims
	Session string `json:"sid"`
	Version int32  `json:"ver"`

	subject, session uuid.UUID
}

// tokenKey is a secret with the header of the tokens that it signs.
type tokenKey struct {
	secret []byte
	// names is the JWT header, and header its encoded form, the first segment of every token.
	names  map[string]any
	header string
}

func newTokenKey(secret []byte) (tokenKey, error) {
	if len(secret) < MinSecretBytes {
		return tokenKey{}, fmt.Errorf("auth: a secret must have %d bytes at least", MinSecretBytes)
	}
	// The key id is a one-way function of the secret, so that all replicas with the same secret agree on it.
	id, err := deriveKey(secret, "key id", 8)
	if err != nil {
		return tokenKey{}, err
	}
	names := map[string]any{"alg": jwt.SigningMethodHS256.Alg(), "typ": tokenType, "kid": hex.EncodeToString(id)}
	header, err := json.Marshal(names)
	if err != nil {
		return tokenKey{}, fmt.Errorf("auth: encode the tokens' header: %w", err)
	}
	return tokenKey{secret: secret, names: names, header: base64.RawURLEncoding.EncodeToString(header)}, nil
}

// tokens signs and checks access tokens: JWTs (RFC 7519) with HS256.
type tokens struct {
	// keys verify tokens. The first one signs.
	keys   []tokenKey
	ttl    time.Duration
	now    func() time.Time
	parser *jwt.Parser
	// verified caches valid tokens by their SHA-256: a client sends the same one with every request until it expires.
	verified verifiedTokens
}

// maxVerified bounds the cached tokens. An entry has about 500 bytes.
const maxVerified = 10_000

type verifiedTokens struct {
	mu      sync.Mutex
	entries map[[sha256.Size]byte]claims
}

func (v *verifiedTokens) get(token [sha256.Size]byte) (claims, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	c, ok := v.entries[token]
	return c, ok
}

func (v *verifiedTokens) put(token [sha256.Size]byte, c claims) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.entries == nil || len(v.entries) >= maxVerified {
		v.entries = make(map[[sha256.Size]byte]claims)
	}
	v.entries[token] = c
}

func newTokens(secrets [][]byte, ttl time.Duration, now func() time.Time) (*tokens, error) {
	keys := make([]tokenKey, len(secrets))
	for i, secret := range secrets {
		var err error
		if keys[i], err = newTokenKey(secret); err != nil {
			return nil, err
		}
	}
	return &tokens{
		keys: keys,
		ttl:  ttl,
		now:  now,
		parser: jwt.NewParser(
			jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
			jwt.WithExpirationRequired(),
			jwt.WithIssuedAt(),
			jwt.WithIssuer(tokenIssuer),
			jwt.WithAudience(tokenAudience),
			jwt.WithLeeway(tokenLeeway),
			jwt.WithStrictDecoding(),
			jwt.WithTimeFunc(now),
		),
	}, nil
}

func (t *tokens) sign(subject, session uuid.UUID, version int32) (string, error) {
	now := t.now()
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    tokenIssuer,
			Audience:  jwt.ClaimStrings{tokenAudience},
			Subject:   subject.String(),
			IssuedAt:  jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(t.ttl)),
			ID:        uuid.NewString(),
		},
		Session: session.String(),
		Version: version,
	})
	token.Header = t.keys[0].names
	signed, err := token.SignedString(t.keys[0].secret)
	if err != nil {
		return "", fmt.Errorf("auth: sign a token: %w", err)
	}
	return signed, nil
}

// SignAccessToken returns an access token for an account's session, and how long it is valid. The version is the
// account's current token version.
func (s *Service) SignAccessToken(account, session uuid.UUID, version int32) (token string, ttl time.Duration, err error) {
	token, err = s.tokens.sign(account, session, version)
	return token, s.tokens.ttl, err
}

// verify returns the claims of a valid token. Before the library parses the token, verify checks its size and encoding,
// and that its header is exactly the header of one of our keys. So a token cannot choose another key, an algorithm or
// an extension.
func (t *tokens) verify(raw string) (claims, error) {
	// Base64 decoders skip line breaks, so one token would have many encodings.
	if len(raw) > maxTokenBytes || strings.Count(raw, ".") != 2 || strings.ContainsAny(raw, "\r\n") {
		return claims{}, errToken
	}
	sum := sha256.Sum256([]byte(raw))
	if c, ok := t.verified.get(sum); ok {
		if !t.now().Before(c.ExpiresAt.Add(tokenLeeway)) {
			return claims{}, errToken
		}
		return c, nil
	}
	header, _, _ := strings.Cut(raw, ".")
	i := slices.IndexFunc(t.keys, func(k tokenKey) bool { return k.header == header })
	if i < 0 {
		return claims{}, errToken
	}
	var c claims
	if _, err := t.parser.ParseWithClaims(raw, &c, func(*jwt.Token) (any, error) { return t.keys[i].secret, nil }); err != nil {
		return claims{}, errToken
	}
	var err error
	if c.subject, err = parseCanonical(c.Subject); err != nil {
		return claims{}, errToken
	}
	if c.session, err = parseCanonical(c.Session); err != nil {
		return claims{}, errToken
	}
	t.verified.put(sum, c)
	return c, nil
}

// parseCanonical parses a UUID in its canonical form only.
func parseCanonical(text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil || id.String() != text {
		return uuid.Nil, errToken
	}
	return id, nil
}
