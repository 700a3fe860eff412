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

// streamTokens signs and checks stream tokens: JWTs (RFC 7519) with HS256, by keys of their own, so that they are no
// access tokens and the other way round. Their audience is the path of the stream.
type streamTokens struct {
	// keys are those whose tokens are taken. The first one signs.
	keys [][]byte
	now  func() time.Time
}

func newStreamTokens(secrets [][]byte, now func() time.Time) (*streamTokens, error) {
	t := &streamTokens{now: now}
	for _, secret := range secrets {
		key, err := hkdf.Key(sha256.New, secret, nil, "support-backend stream tokens", sha256.Size)
		if err != nil {
			return nil, fmt.Errorf("auth: derive the key of stream tokens: %w", err)
		}
		t.keys = append(t.keys, key)
	}
	return t, nil
}

// streamClaims are what a stream token says: whose it is, and of which session or which API key.
type streamClaims struct {
	jwt.RegisteredClaims
	Session string `json:"sid,omitempty"`
	Key     string `json:"key,omitempty"`
}

// actor is as much of the actor as the token says.
func (c streamClaims) actor() (a Actor, err error) {
	if a.ID, err = parseCanonical(c.Subject); err != nil {
		return Actor{}, err
	}
	if c.Key != "" {
		a.KeyID, err = parseCanonical(c.Key)
	} else {
		a.SessionID, err = parseCanonical(c.Session)
	}
	return a, err
}

func (t *streamTokens) sign(actor Actor, path string) (StreamToken, error) {
	now := t.now()
	expires := now.Add(StreamTokenTTL)
	c := streamClaims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    tokenIssuer,
			Audience:  jwt.ClaimStrings{path},
			Subject:   actor.ID.String(),
			IssuedAt:  jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(expires),
		},
	}
	if actor.KeyID != uuid.Nil {
		c.Key = actor.KeyID.String()
	} else {
		c.Session = actor.SessionID.String()
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(t.keys[0])
	if err != nil {
		return StreamToken{}, fmt.Errorf("auth: sign a stream token: %w", err)
	}
	return StreamToken{Token: signed, ExpiresAt: expires}, nil
}

// verify returns the account and the session or the API key of a token for the path.
func (t *streamTokens) verify(raw, path string) (Actor, error) {
	if len(raw) > maxTokenBytes {
		return Actor{}, errToken
	}
	for _, key := range t.keys {
		var c streamClaims
		_, err := jwt.ParseWithClaims(raw, &c, func(*jwt.Token) (any, error) { return key, nil },
			jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
			jwt.WithIssuer(tokenIssuer), jwt.WithAudience(path), jwt.WithStrictDecoding(), jwt.WithLeeway(tokenLeeway),
			jwt.WithTimeFunc(t.now))
		if err == nil {
			return c.actor()
		}
	}
	return Actor{}, errToken
}

// SignStreamToken returns a token with which the stream at the path can be opened on the actor's behalf: the caller has
// decided that they may read it. It ends with the actor's session or API key.
func (s *Service) SignStreamToken(actor Actor, path string) (StreamToken, error) {
	return s.streamTokens.sign(actor, path)
}

// AuthenticateStream returns whom a stream token speaks for at the path. It returns InvalidToken, the same for every fault.
func (s *Service) AuthenticateStream(ctx context.Context, token, path string) (Actor, error) {
	claimed, err := s.streamTokens.verify(token, path)
	if err != nil {
		return Actor{}, invalidToken(err)
	}
	actor, err := s.current(ctx, claimed)
	if err != nil {
		return Actor{}, err
	}
	if actor.ID != claimed.ID {
		return Actor{}, invalidToken(errToken)
	}
	return actor, nil
}
