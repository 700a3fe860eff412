package session

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/supportbackend/support/internal/auth"
)

const (
	// refreshTokenPrefix makes a refresh token recognizable where it leaks: in a log, or in a repository.
	refreshTokenPrefix = "srt_"

	// A refresh token is its session's id, 256 random bits and a tag.
	refreshTokenRandom = len(uuid.UUID{}) + 32
	refreshTokenTag    = 16
	refreshTokenBytes  = refreshTokenRandom + refreshTokenTag
)

// refreshTokens makes refresh tokens and recognizes its own. A session stores only its newest two, as plain hashes,
// because random tokens cannot be guessed. The tag proves that an older token once belonged to the session. So the
// server notices its reuse without storing it, and nobody can end a session with an invented token.
type refreshTokens struct {
	// keys verify tags. The first one signs.
	keys [][]byte
}

func newRefreshTokens(secrets [][]byte) (*refreshTokens, error) {
	keys, err := auth.DeriveKeys(secrets, "refresh tokens")
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	return &refreshTokens{keys: keys}, nil
}

// refreshToken is a session's token with its stored hash.
type refreshToken struct {
	session uuid.UUID
	text    string
	hash    []byte
	// signed means that one of the keys signed the token.
	signed bool
}

func (t *refreshTokens) make(session uuid.UUID) refreshToken {
	raw := make([]byte, refreshTokenRandom, refreshTokenBytes)
	_, _ = rand.Read(raw[copy(raw, session[:]):]) // It never fails.
	raw = append(raw, tagOf(t.keys[0], raw)...)
	return newRefreshToken(session, refreshTokenPrefix+base64.RawURLEncoding.EncodeToString(raw), true)
}

// parse reports false for text that cannot be a token. A token with an unknown signature may still belong to a session:
// the secret may have been replaced since.
func (t *refreshTokens) parse(text string) (refreshToken, bool) {
	encoded, ours := strings.CutPrefix(text, refreshTokenPrefix)
	if !ours || len(encoded) != base64.RawURLEncoding.EncodedLen(refreshTokenBytes) {
		return refreshToken{}, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || len(raw) != refreshTokenBytes {
		return refreshToken{}, false
	}
	signed := false
	for _, key := range t.keys {
		signed = hmac.Equal(tagOf(key, raw[:refreshTokenRandom]), raw[refreshTokenRandom:]) || signed
	}
	return newRefreshToken(uuid.UUID(raw[:len(uuid.UUID{})]), text, signed), true
}

func newRefreshToken(session uuid.UUID, text string, signed bool) refreshToken {
	hash := sha256.Sum256([]byte(text))
	return refreshToken{session: session, text: text, hash: hash[:], signed: signed}
}

func tagOf(key, raw []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(raw)
	return mac.Sum(nil)[:refreshTokenTag]
}
