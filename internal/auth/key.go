package auth

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
)

// DeriveKeys returns a key of 32 bytes for the use from each of the server's secrets (HKDF with SHA-256, RFC 5869). Keys
// for different uses are independent: one reveals neither the secret nor another key.
func DeriveKeys(secrets [][]byte, use string) ([][]byte, error) {
	keys := make([][]byte, len(secrets))
	for i, secret := range secrets {
		var err error
		if keys[i], err = deriveKey(secret, use, sha256.Size); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

func deriveKey(secret []byte, use string, size int) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "support-backend "+use, size)
	if err != nil {
		return nil, fmt.Errorf("auth: derive the key for %s: %w", use, err)
	}
	return key, nil
}
