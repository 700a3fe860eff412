package auth

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/supportbackend/support/internal/apperr"
)

// argon2Params are the cost of a hash (RFC 9106): memory in KiB, passes, lanes.
type argon2Params struct {
	memory uint32
	time   uint32
	lanes  uint8
}

var currentParams = argon2Params{memory: 19456, time: 2, lanes: 1}

const (
	saltBytes = 16
	keyBytes  = 32

	// Each hash takes 19 MiB for about 30 ms. More of them at once than there are processors only take longer, and
	// the memory of all of them together.
	maxHashesWaiting = 64
	maxHashWait      = 2 * time.Second
)

// hasher computes argon2id hashes in the PHC string format, a bounded number at once.
type hasher struct {
	slots   chan struct{}
	waiting atomic.Int32
	// dummy is compared with when there is no account, so that its absence takes as long as a wrong password.
	dummy string
}

func newHasher() (*hasher, error) {
	h := &hasher{slots: make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))}
	secret := make([]byte, keyBytes)
	if _, err := rand.Read(secret); err != nil {
		return nil, fmt.Errorf("auth: read random bytes: %w", err)
	}
	var err error
	h.dummy, err = h.hash(context.Background(), string(secret)) //nolint:forbidigo // There is no request yet.
	return h, err
}

// hash returns the PHC string of the password with the current parameters. It returns ServerBusy when too many others
// are waiting.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltBytes)
	if _, err := rand.Read(salt); err != nil {
		return "", fmt.Errorf("auth: read random bytes: %w", err)
	}
	key, err := h.derive(ctx, password, salt, currentParams, keyBytes)
	if err != nil {
		return "", err
	}
	return formatPHC(currentParams, salt, key), nil
}

// verify compares the password with a PHC string. outdated reports whether the string was made with other parameters
// than the current ones. It returns ServerBusy when too many others are waiting.
func (h *hasher) verify(ctx context.Context, password, phc string) (ok, outdated bool, err error) {
	params, salt, want, err := parsePHC(phc)
	if err != nil {
		return false, false, err
	}
	got, err := h.derive(ctx, password, salt, params, uint32(len(want))) //nolint:gosec // parsePHC bounds its length.
	if err != nil {
		return false, false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1, params != currentParams, nil
}

func (h *hasher) derive(ctx context.Context, password string, salt []byte, p argon2Params, size uint32) ([]byte, error) {
	if err := h.enter(ctx); err != nil {
		return nil, err
	}
	defer func() { <-h.slots }()
	return argon2.IDKey([]byte(password), salt, p.time, p.memory, p.lanes, size), nil
}

func (h *hasher) enter(ctx context.Context) error {
	select {
	case h.slots <- struct{}{}:
		return nil
	default:
	}
	defer h.waiting.Add(-1)
	if h.waiting.Add(1) > maxHashesWaiting {
		return errHashesBusy()
	}
	timer := time.NewTimer(maxHashWait)
	defer timer.Stop()
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-timer.C:
		return errHashesBusy()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func errHashesBusy() error {
	err := apperr.New(apperr.ServerBusy, "Too many passwords are being checked.")
	err.RetryAfter = time.Second
	return err
}

func formatPHC(p argon2Params, salt, key []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.time, p.lanes,
		b64.EncodeToString(salt), b64.EncodeToString(key))
}

var errPHC = errors.New("auth: a stored password hash is not a PHC string of argon2id")

func parsePHC(phc string) (p argon2Params, salt, key []byte, err error) {
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, nil, nil, errPHC
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.lanes); err != nil {
		return p, nil, nil, errPHC
	}
	salt, errSalt := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	key, errKey := base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if errSalt != nil || errKey != nil || len(salt) < 8 || len(key) < 16 || len(key) > 64 ||
		p.time == 0 || p.lanes == 0 || p.memory > 1<<20 {
		return p, nil, nil, errPHC
	}
	// Sscanf passes over spaces and over what follows, and base64 over line breaks.
	if formatPHC(p, salt, key) != phc {
		return p, nil, nil, errPHC
	}
	return p, salt, key, nil
}

//go:embed common_passwords.txt
var commonPasswordFile []byte

// commonPasswords is sorted, so that it can be searched.
var commonPasswords = bytes.Split(bytes.TrimSpace(commonPasswordFile), []byte("\n"))

func isCommonPassword(password string) bool {
	_, found := slices.BinarySearchFunc(commonPasswords, []byte(strings.ToLower(password)), bytes.Compare)
	return found
}
