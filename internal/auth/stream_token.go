package auth

import (
	"context"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// StreamTokenTTL is how long a stream token is valid.
const StreamTokenTTL = 3 * time.Minute

// StreamToken opens one stream, for clients that cannot send an Authorization header.
type StreamToken struct {
	Token     string
	ExpiresAt time.Time
}

// streamTokens signs and verifies stream tokens: JWTs (RFC 7519) with HS256. They have separate keys, so that a stream
// token is not an access token, nor the reverse. Their audience is the path of the stream.
type streamTokens struct {
	// keys verify tokens. The first one signs.
	keys [][]byte
	now  func() time.Time
}

func newStreamTokens(secrets [][]byte, now func() time.Time) (*streamTokens, error) {
	keys, err := DeriveKeys(secrets, "stream tokens")
	if err != nil {
		return nil, err
	}
	return &streamTokens{keys: keys, now: now}, nil
}

// streamClaims are the claims of a stream token: its account, and its session or API key.
type streamClaims struct {
	jwt.RegisteredClaims
	Session string `json:"sid,omitempty"`
	Key     string `json:"key,omitempty"`
}

// actor returns what the token says about the actor.
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

// SignStreamToken returns a token that opens the stream at the path for the actor. The caller has decided that the
// actor may read the stream. The token ends with the actor's session or API key.
func (s *Service) SignStreamToken(actor Actor, path string) (StreamToken, error) {
	return s.streamTokens.sign(actor, path)
}

// AuthenticateStream returns the actor of a stream token for the path. It returns InvalidToken, the same for every
// fault.
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
