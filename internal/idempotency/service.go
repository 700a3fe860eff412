// Package idempotency makes a request that is sent again take effect once. The client chooses a key for the request. The
// transaction that makes the change also stores the key and the response, so there is never one without the other. When
// requests with the same key run at the same time, on any replicas, one takes the key's row and the others wait for it.
package idempotency

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/background"
	"github.com/supportbackend/support/internal/store"
)

const (
	// kept is how long a key is stored.
	kept = 24 * time.Hour

	// How often old keys are deleted, and how many in one statement.
	sweepInterval = time.Minute
	maxSwept      = 1000

	// retryAfter is the Retry-After while a request with the same key is running.
	retryAfter = time.Second
)

// Request is a request with a key.
type Request struct {
	// Principal and Operation scope the key: the same value elsewhere is another key.
	Principal uuid.UUID
	Operation string
	// Key is the sender's value. It is not stored.
	Key string
	// Target and Body must be equal for requests with the same key.
	Target string
	Body   []byte
	// TicketID is the ticket in the request; nil for none.
	TicketID *uuid.UUID
}

// id returns the digest under which the key is stored.
func (r Request) id() []byte {
	h := sha256.New()
	h.Write(r.Principal[:])
	_, _ = io.WriteString(h, r.Operation+"\x00"+r.Key) // It never fails.
	return h.Sum(nil)
}

// fingerprint distinguishes requests with the same key. The HMAC's key includes the idempotency key, which is not
// stored, so that nobody can guess bodies from stored fingerprints.
func (r Request) fingerprint() []byte {
	mac := hmac.New(sha256.New, []byte(r.Key))
	_, _ = io.WriteString(mac, r.Target+"\x00") // It never fails.
	mac.Write(r.Body)
	return mac.Sum(nil)
}

// Response is the response to a request.
type Response struct {
	Status int
	Header map[string][]string
	Body   []byte
	// TicketID is the ticket in the response, if the request names none; nil for none.
	TicketID *uuid.UUID
}

// Service stores keys and responses. Besides the errors that its methods name, each returns the errors of store.Store.
type Service struct {
	store *store.Store
}

// NewService returns a Service on the store.
func NewService(s *store.Store) *Service {
	return &Service{store: s}
}

// errUsed means that a key was used before.
var errUsed = errors.New("idempotency: the key was used before")

// Do runs fn and returns its response. If a request with the same key took effect within the last 24 hours, it returns
// that response instead, marked as replayed. fn runs in a transaction, which everything done through the store with its
// context joins. An error from fn rolls the transaction back and leaves the key unused. fn may run several times, but
// takes effect once, and must have no effects outside the database. The key is claimed together with fn's first
// statement, to save a round trip: if the key was used before, that statement fails.
//
// It returns IdempotencyMismatch when the key was used for another request, and IdempotencyInProgress when a request
// with the same key has been running for longer than the store waits for a lock.
func (s *Service) Do(
	ctx context.Context, r Request, fn func(ctx context.Context) (Response, error),
) (response Response, replayed bool, err error) {
	row := sqlc.CreateIdempotencyKeyParams{
		ID: r.id(), Fingerprint: r.fingerprint(), UserID: r.Principal, TicketID: r.TicketID,
	}
	for {
		err = s.store.InTx(ctx, func(ctx context.Context) error {
			if _, err := s.store.ClaimIdempotencyKey(store.AheadIf(ctx, judgeClaim), row.ID); err != nil {
				return err
			}
			if response, err = fn(ctx); err != nil {
				return cmp.Or(store.Settle(ctx), err) // A repeated request gets the stored response.
			}
			return s.remember(ctx, row, response)
		})
		switch {
		case err == nil:
			return response, false, nil
		case !errors.Is(err, errUsed):
			return Response{}, false, err
		}
		if response, err = s.recall(ctx, row.ID, row.Fingerprint); !errors.Is(err, store.ErrNoRows) {
			return response, true, err
		}
	}
}

// judgeClaim returns an error if the transaction may not use the key.
func judgeClaim(used int64, err error) error {
	switch {
	case store.IsLockTimeout(err):
		return errInProgress(err)
	case err == nil && used > 0:
		return errUsed
	default:
		return err
	}
}

// recall returns the stored response of the key. It returns store.ErrNoRows when the key has expired and is free again.
func (s *Service) recall(ctx context.Context, id, fingerprint []byte) (Response, error) {
	keptSeconds := int32(kept.Seconds())
	row, err := s.store.GetIdempotencyKey(ctx, sqlc.GetIdempotencyKeyParams{ID: id, KeptSeconds: keptSeconds})
	if err == nil {
		return remembered(row, fingerprint)
	}
	if errors.Is(err, store.ErrNoRows) {
		err = cmp.Or(s.store.DeleteOldIdempotencyKey(ctx, sqlc.DeleteOldIdempotencyKeyParams{
			ID: id, KeptSeconds: keptSeconds,
		}), err)
	}
	return Response{}, err
}

func remembered(row sqlc.IdempotencyKey, fingerprint []byte) (Response, error) {
	if !hmac.Equal(row.Fingerprint, fingerprint) {
		return Response{}, apperr.New(apperr.IdempotencyMismatch, "This Idempotency-Key was used for another request.")
	}
	response := Response{Status: int(row.Status), Body: row.Body}
	if err := json.Unmarshal(row.Headers, &response.Header); err != nil {
		return Response{}, fmt.Errorf("idempotency: read the stored headers: %w", err)
	}
	return response, nil
}

// remember stores the response with the row of its request, and commits.
func (s *Service) remember(ctx context.Context, row sqlc.CreateIdempotencyKeyParams, r Response) (err error) {
	if row.Headers, err = json.Marshal(r.Header); err != nil {
		return fmt.Errorf("idempotency: store the headers: %w", err)
	}
	row.Status = int16(r.Status)           //nolint:gosec // A status has three digits.
	row.Body = append([]byte{}, r.Body...) // An empty body is not null.
	row.TicketID = cmp.Or(row.TicketID, r.TicketID)
	return s.store.CreateIdempotencyKey(store.Last(ctx), row)
}

func errInProgress(cause error) error {
	return apperr.Wrap(apperr.IdempotencyInProgress, "A request with this Idempotency-Key is still running.", cause).
		After(retryAfter)
}

// Tasks returns the periodic task that deletes expired keys.
func (s *Service) Tasks() []background.Task {
	return []background.Task{{Name: "delete_old_idempotency_keys", Every: sweepInterval, Do: s.Sweep}}
}

// Sweep deletes expired keys, in batches.
func (s *Service) Sweep(ctx context.Context) error {
	return background.Batches(ctx, maxSwept, func(ctx context.Context, limit, skip int32) (int64, error) {
		return s.store.DeleteOldIdempotencyKeys(ctx, sqlc.DeleteOldIdempotencyKeysParams{
			KeptSeconds: int32(kept.Seconds()), MaxRows: limit, SkipRows: skip,
		})
	})
}
