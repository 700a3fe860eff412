package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
)

const (
	// refreshTokenPrefix makes a refresh token known wherever it turns up: in a log, or in somebody's repository.
	refreshTokenPrefix = "srt_"
	refreshTokenBytes  = 32
)

// newRefreshToken makes a token of 256 random bits, and what of it is stored. There is nothing to guess in it, so a plain
// hash is enough.
func newRefreshToken() (token string, hash []byte, err error) {
	raw := make([]byte, refreshTokenBytes)
	if _, err := rand.Read(raw); err != nil {
		return "", nil, fmt.Errorf("auth: read random bytes: %w", err)
	}
	token = refreshTokenPrefix + base64.RawURLEncoding.EncodeToString(raw)
	return token, hashRefreshToken(token), nil
}

func hashRefreshToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// isRefreshToken reports whether the text looks like one of our refresh tokens.
func isRefreshToken(text string) bool {
	encoded, ours := strings.CutPrefix(text, refreshTokenPrefix)
	return ours && len(encoded) == base64.RawURLEncoding.EncodedLen(refreshTokenBytes)
}
