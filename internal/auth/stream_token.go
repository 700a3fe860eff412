package auth

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// StreamTokenTTL is how long a stream can be opened with a stream token.
const StreamTokenTTL = 3 * time.Minute

// StreamToken opens one stream, for clients that cannot send an Authorization header.
type StreamToken struct {
	Token     string
	ExpiresAt time.Time
}

// streamTokens signs and checks stream tokens: JWTs (RFC 7519) with HS256, by a key of their own, so that they are no
// access tokens and the other way round. Their audience is the path of the stream.
type streamTokens struct {
	key []byte
	now func() time.Time
}

func newStreamTokens(secret []byte, now func() time.Time) (*streamTokens, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "support-backend stream tokens", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("auth: derive the key of stream tokens: %w", err)
	}
	return &streamTokens{key: key, now: now}, nil
}

func (t *streamTokens) sign(subject uuid.UUID, path string) (StreamToken, error) {
	now := t.now()
	expires := now.Add(StreamTokenTTL)
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Issuer:    tokenIssuer,
		Audience:  jwt.ClaimStrings{path},
		Subject:   subject.String(),
		IssuedAt:  jwt.NewNumericDate(now),
		ExpiresAt: jwt.NewNumericDate(expires),
	})
	signed, err := token.SignedString(t.key)
	if err != nil {
		return StreamToken{}, fmt.Errorf("auth: sign a stream token: %w", err)
	}
	return StreamToken{Token: signed, ExpiresAt: expires}, nil
}

func (t *streamTokens) verify(raw, path string) (uuid.UUID, error) {
	if len(raw) > maxTokenBytes {
		return uuid.Nil, errToken
	}
	var claims jwt.RegisteredClaims
	_, err := jwt.ParseWithClaims(raw, &claims, func(*jwt.Token) (any, error) { return t.key, nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithIssuer(tokenIssuer), jwt.WithAudience(path), jwt.WithStrictDecoding(), jwt.WithLeeway(tokenLeeway),
		jwt.WithTimeFunc(t.now))
	if err != nil {
		return uuid.Nil, errToken
	}
	subject, err := uuid.Parse(claims.Subject)
	if err != nil {
		return uuid.Nil, errToken
	}
	return subject, nil
}

// SignStreamToken returns a token with which the stream at the path can be opened on the actor's behalf: the caller has
// decided that they may read it.
func (s *Service) SignStreamToken(actor Actor, path string) (StreamToken, error) {
	return s.streamTokens.sign(actor.ID, path)
}

// AuthenticateStream returns whom a stream token speaks for at the path. It returns InvalidToken, the same for every fault.
func (s *Service) AuthenticateStream(ctx context.Context, token, path string) (Actor, error) {
	id, err := s.streamTokens.verify(token, path)
	if err != nil {
		return Actor{}, invalidToken(err)
	}
	return s.account(ctx, id)
}
