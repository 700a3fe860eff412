package webhook

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
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
)

const (
	secretPrefix = "whsec_"
	secretBytes  = 32
	keyIDBytes   = 8
)

// errSealed is a secret that none of the server's own secrets opens.
var errSealed = errors.New("webhook: none of JWT_SECRET and JWT_SECRETS_ACCEPTED opens a webhook's secret: rotate it")

// secret is what a webhook's deliveries are signed with.
type secret []byte

func newSecret() secret {
	s := make(secret, secretBytes)
	_, _ = rand.Read(s) // It never fails.
	return s
}

// text is how the webhook's owner gets it.
func (s secret) text() string { return secretPrefix + base64.StdEncoding.EncodeToString(s) }

// sign returns the signature of a delivery, as Standard Webhooks 1.0.0 writes it.
func (s secret) sign(id uuid.UUID, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, s)
	mac.Write([]byte(id.String() + "." + strconv.FormatInt(at.Unix(), 10) + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// signatures are those of all secrets, for a receiver that has one of them.
func signatures(secrets []secret, id uuid.UUID, at time.Time, body []byte) string {
	all := make([]string, len(secrets))
	for i, s := range secrets {
		all[i] = s.sign(id, at, body)
	}
	return strings.Join(all, " ")
}

// seals keep secrets in the database in a form that its readers cannot use: encrypted by AES-256-GCM, with keys that are
// derived from the server's own secrets, and bound to the webhook's id.
type seals struct {
	// keys are those that open. The first one seals.
	keys []sealKey
}

type sealKey struct {
	id   []byte
	aead cipher.AEAD
}

func newSeals(secrets [][]byte) (*seals, error) {
	s := &seals{}
	for _, secret := range secrets {
		key, err := hkdf.Key(sha256.New, secret, nil, "support-backend webhook secrets", sha256.Size)
		if err != nil {
			return nil, fmt.Errorf("webhook: derive the key of secrets: %w", err)
		}
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
	return key.aead.Seal(slices.Clone(key.id), nil, plain, webhook[:])
}

// open returns the secret, and whether another key than the first one opens it.
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

// renew returns the secret sealed with the first key, and whether that changes anything.
func (s *seals) renew(webhook uuid.UUID, sealed []byte) (renewed []byte, changed bool) {
	if sealed == nil {
		return nil, false
	}
	plain, old, err := s.open(webhook, sealed)
	if err != nil || !old {
		return sealed, false
	}
	return s.seal(webhook, plain), true
}
