package webhook

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/internal/auth"
)

const (
	secretPrefix = "whsec_"
	secretBytes  = 32
	keyIDBytes   = 8
)

// errSealed means that none of the server's secrets opens the webhook's.
var errSealed = errors.New("webhook: neither JWT_SECRET nor JWT_SECRETS_ACCEPTED opens the webhook's secret: rotate it")

// secret signs a webhook's deliveries.
type secret []byte

func newSecret() secret {
	s := make(secret, secretBytes)
	_, _ = rand.Read(s) // It never fails.
	return s
}

// text returns the secret in the form for the webhook's owner.
func (s secret) text() string { return secretPrefix + base64.StdEncoding.EncodeToString(s) }

// sign returns the signature of a delivery (Standard Webhooks 1.0.0).
func (s secret) sign(id uuid.UUID, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, s)
	mac.Write([]byte(id.String() + "." + strconv.FormatInt(at.Unix(), 10) + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// signatures returns the signatures by all secrets, for a receiver that has one of them.
func signatures(secrets []secret, id uuid.UUID, at time.Time, body []byte) string {
	all := make([]string, len(secrets))
	for i, s := range secrets {
		all[i] = s.sign(id, at, body)
	}
	return strings.Join(all, " ")
}

// seals encrypts webhooks' secrets for the database with AES-256-GCM. The keys are derived from the server's own
// secrets, and each ciphertext is bound to its webhook's id.
type seals struct {
	// keys open secrets. The first one seals.
	keys []sealKey
}

type sealKey struct {
	id   []byte
	aead cipher.AEAD
}

func newSeals(secrets [][]byte) (*seals, error) {
	keys, err := auth.DeriveKeys(secrets, "webhook secrets")
	if err != nil {
		return nil, fmt.Errorf("webhook: %w", err)
	}
	s := &seals{}
	for _, key := range keys {
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("webhook: %w", err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, fmt.Errorf("webhook: %w", err)
		}
		id := sha256.Sum256(key)
		s.keys = append(s.keys, sealKey{id: id[:keyIDBytes], aead: aead})
	}
	return s, nil
}

// seal returns the key's id and the encrypted secret.
func (s *seals) seal(webhook uuid.UUID, plain secret) []byte {
	key := s.keys[0]
	return key.aead.Seal(slices.Clone(key.id), nil, plain, webhook[:]) //nolint:gosec // The AEAD makes a random nonce, and stores it in the ciphertext.
}

// open returns the secret, and whether a key other than the first one opened it.
func (s *seals) open(webhook uuid.UUID, sealed []byte) (plain secret, old bool, err error) {
	for i, key := range s.keys {
		if text, ok := strings.CutPrefix(string(sealed), string(key.id)); ok {
			plain, err := key.aead.Open(nil, nil, []byte(text), webhook[:])
			if err != nil {
				return nil, false, errSealed
			}
			return plain, i > 0, nil
		}
	}
	return nil, false, errSealed
}

// renew returns the secret sealed with the first key, and whether that changes anything. No secret, and one that no key
// opens, stay as they are; the latter is an error.
func (s *seals) renew(webhook uuid.UUID, sealed []byte) (renewed []byte, changed bool, err error) {
	if sealed == nil {
		return nil, false, nil
	}
	plain, old, err := s.open(webhook, sealed)
	if err != nil || !old {
		return sealed, false, err
	}
	return s.seal(webhook, plain), true, nil
}
