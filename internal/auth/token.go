package auth

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

const (
	// MinSecretBytes is the least length of the secret that signs tokens (RFC 7518, section 3.2).
	MinSecretBytes = 32

	tokenIssuer   = "support-backend"
	tokenAudience = "support-backend"
	tokenType     = "at+jwt" // RFC 9068, section 2.1
	tokenLeeway   = 30 * time.Second
	maxTokenBytes = 4096
)

var errToken = errors.New("auth: not one of our access tokens")

// tokens signs and checks access tokens: JWTs (RFC 7519) with HS256.
type tokens struct {
	key []byte
	// names is the header of every token that we sign, and header its first segment.
	names  map[string]any
	header string
	ttl    time.Duration
	now    func() time.Time
	parser *jwt.Parser
}

func newTokens(secret []byte, ttl time.Duration, now func() time.Time) (*tokens, error) {
	if len(secret) < MinSecretBytes {
		return nil, fmt.Errorf("auth: the secret must have %d bytes at least", MinSecretBytes)
	}
	// The key's name is derived from it by a one-way function, so that every replica with the same secret agrees on it.
	id, err := hkdf.Key(sha256.New, secret, nil, "support-backend key id", 8)
	if err != nil {
		return nil, fmt.Errorf("auth: derive the key id: %w", err)
	}
	names := map[string]any{"alg": jwt.SigningMethodHS256.Alg(), "typ": tokenType, "kid": hex.EncodeToString(id)}
	header, err := json.Marshal(names)
	if err != nil {
		return nil, fmt.Errorf("auth: encode the tokens' header: %w", err)
	}
	return &tokens{
		key:    secret,
		names:  names,
		header: base64.RawURLEncoding.EncodeToString(header),
		ttl:    ttl,
		now:    now,
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

func (t *tokens) sign(subject uuid.UUID) (string, error) {
	now := t.now()
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Issuer:    tokenIssuer,
		Audience:  jwt.ClaimStrings{tokenAudience},
		Subject:   subject.String(),
		IssuedAt:  jwt.NewNumericDate(now),
		ExpiresAt: jwt.NewNumericDate(now.Add(t.ttl)),
		ID:        uuid.NewString(),
	})
	token.Header = t.names
	signed, err := token.SignedString(t.key)
	if err != nil {
		return "", fmt.Errorf("auth: sign a token: %w", err)
	}
	return signed, nil
}

// verify returns the account a token was signed for. What the library does not check, or checks too late, is checked
// before it sees the token: its size and spelling, and a header that is exactly ours, so that nothing in it can name a
// key, an algorithm or an extension.
func (t *tokens) verify(raw string) (uuid.UUID, error) {
	// Decoders of base64 pass over line breaks: with them, one token would have many spellings.
	if len(raw) > maxTokenBytes || strings.Count(raw, ".") != 2 || strings.ContainsAny(raw, "\r\n") {
		return uuid.Nil, errToken
	}
	if !strings.HasPrefix(raw, t.header+".") {
		return uuid.Nil, errToken
	}
	var claims jwt.RegisteredClaims
	if _, err := t.parser.ParseWithClaims(raw, &claims, func(*jwt.Token) (any, error) { return t.key, nil }); err != nil {
		return uuid.Nil, errToken
	}
	subject, err := uuid.Parse(claims.Subject)
	if err != nil || subject.String() != claims.Subject {
		return uuid.Nil, errToken
	}
	return subject, nil
}
