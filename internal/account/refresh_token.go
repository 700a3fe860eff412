package account

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

const (
	// refreshTokenPrefix makes a refresh token known wherever it turns up: in a log, or in somebody's repository.
	refreshTokenPrefix = "srt_"

	// A refresh token is its session's id, 256 random bits and a tag.
	refreshTokenRandom = len(uuid.UUID{}) + 32
	refreshTokenTag    = 16
	refreshTokenBytes  = refreshTokenRandom + refreshTokenTag
)

// refreshTokens makes refresh tokens and knows its own. A session keeps only its newest two, as plain hashes: there is
// nothing to guess in them. The tag proves that an older one was once the session's, so that its reuse is noticed although
// nothing of it is stored, and that nobody ends a session with a token that they made up.
type refreshTokens struct {
	// keys are those whose tags are taken. The first one signs.
	keys [][]byte
}

func newRefreshTokens(secrets [][]byte) (*refreshTokens, error) {
	t := &refreshTokens{}
	for _, secret := range secrets {
		key, err := hkdf.Key(sha256.New, secret, nil, "support-backend refresh tokens", sha256.Size)
		if err != nil {
			return nil, fmt.Errorf("account: derive the key of refresh tokens: %w", err)
		}
		t.keys = append(t.keys, key)
	}
	return t, nil
}

// refreshToken is a token of a session, with what of it is stored.
type refreshToken struct {
	session uuid.UUID
	text    string
	hash    []byte
	// signed reports that the token was made by us.
	signed bool
}

func (t *refreshTokens) make(session uuid.UUID) refreshToken {
	raw := make([]byte, refreshTokenRandom, refreshTokenBytes)
	_, _ = rand.Read(raw[copy(raw, session[:]):]) // It never fails.
	raw = append(raw, tagOf(t.keys[0], raw)...)
	return newRefreshToken(session, refreshTokenPrefix+base64.RawURLEncoding.EncodeToString(raw), true)
}

// parse reports false for what cannot be a token. One that is not signed may still be a session's: the secret may have been
// replaced since.
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
