// Package idempotency lets a request that is sent again have its effect once. The sender gives it a key of its own; the
// key is stored in the transaction of the effect, together with the response, so that there is never one without the
// other, whatever breaks off. Of requests with the same key that are under way at once, in whichever replicas, one takes
// the key's row and the others wait for it.
package idempotency

import (
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
	// kept is how long a key is remembered.
	kept = 24 * time.Hour

	// Old keys are deleted this often, and so many in one statement.
	sweepInterval = time.Minute
	maxSwept      = 1000

	// retryAfter is when a request whose like is under way is worth another try.
	retryAfter = time.Second
)

// Request is a request that came with a key.
type Request struct {
	// Principal is whose key it is, and Operation what it was given for: the same value elsewhere is another key.
	Principal uuid.UUID
	Operation string
	// Key is the sender's value. It is not stored.
	Key string
	// Target and Body are what requests with the same key must agree in.
	Target string
	Body   []byte
	// TicketID is the ticket that the request names; nil for none.
	TicketID *uuid.UUID
}

// id is under what the key is stored.
func (r Request) id() []byte {
	h := sha256.New()
	h.Write(r.Principal[:])
	_, _ = io.WriteString(h, r.Operation+"\x00"+r.Key) // It never fails.
	return h.Sum(nil)
}

// fingerprint tells other requests with the same key. It is made with the key, which is not stored, so that nobody who
// reads it can try out what the body was.
func (r Request) fingerprint() []byte {
	mac := hmac.New(sha256.New, []byte(r.Key))
	_, _ = io.WriteString(mac, r.Target+"\x00") // It never fails.
	mac.Write(r.Body)
	return mac.Sum(nil)
}

// Response is what a request was answered with.
type Response struct {
	Status int
	Header map[string][]string
	Body   []byte
	// TicketID is the ticket that the response names, where the request names none; nil for none.
	TicketID *uuid.UUID
}

// Service remembers keys. Besides the errors that they name, its methods return what store.Store returns.
type Service struct {
	store *store.Store
}

// NewService returns a Service on the store.
func NewService(s *store.Store) *Service {
	return &Service{store: s}
}

// Do returns what fn does, or, when a request with the same key has had its effect within the last 24 hours, the response
// to that one, replayed. fn runs in a transaction that everything done through the store with its context joins; what it
// returns an error for is undone and leaves the key unused. It may run several times, of which one counts.
//
// It returns IdempotencyMismatch when the key was used for another request, and IdempotencyInProgress when one with the
// same key has been under way for longer than the store waits for a lock.
func (s *Service) Do(
	ctx context.Context, r Request, fn func(ctx context.Context) (Response, error),
) (response Response, replayed bool, err error) {
	id, fingerprint := r.id(), r.fingerprint()
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		used, err := s.claim(ctx, r, id, fingerprint)
		switch {
		case store.IsLockTimeout(err):
			return errInProgress(err)
		case err != nil:
			return err
		}
		if replayed = used != nil; replayed {
			response, err = remembered(*used, fingerprint)
			return err
		}
		if response, err = fn(ctx); err != nil {
			return err
		}
		return s.remember(ctx, id, response)
	})
	if err != nil {
		return Response{}, false, err
	}
	return response, replayed, nil
}

// claim makes the key this transaction's to use, unless it was used within the time that it is kept: then it returns the
// row of that use.
func (s *Service) claim(
	ctx context.Context, r Request, id, fingerprint []byte,
) (used *sqlc.IdempotencyKey, err error) {
	keptSeconds := int32(kept.Seconds())
	for {
		claimed, err := s.store.ClaimIdempotencyKey(ctx, sqlc.ClaimIdempotencyKeyParams{
			ID: id, Fingerprint: fingerprint, UserID: r.Principal, TicketID: r.TicketID,
		})
		if err != nil || claimed > 0 {
			return nil, err
		}
		row, err := s.store.GetIdempotencyKey(ctx, sqlc.GetIdempotencyKeyParams{ID: id, KeptSeconds: keptSeconds})
		if !errors.Is(err, store.ErrNoRows) {
			return &row, err
		}
		if err := s.store.DeleteOldIdempotencyKey(ctx, sqlc.DeleteOldIdempotencyKeyParams{
			ID: id, KeptSeconds: keptSeconds,
		}); err != nil {
			return nil, err
		}
	}
}

func remembered(row sqlc.IdempotencyKey, fingerprint []byte) (Response, error) {
	if !hmac.Equal(row.Fingerprint, fingerprint) {
		return Response{}, apperr.New(apperr.IdempotencyMismatch, "This Idempotency-Key was used for another request.")
	}
	if row.Status == nil {
		return Response{}, errors.New("idempotency: a key was stored without its response")
	}
	response := Response{Status: int(*row.Status), Body: row.Body}
	if err := json.Unmarshal(row.Headers, &response.Header); err != nil {
		return Response{}, fmt.Errorf("idempotency: read the stored headers: %w", err)
	}
	return response, nil
}

func (s *Service) remember(ctx context.Context, id []byte, r Response) error {
	headers, err := json.Marshal(r.Header)
	if err != nil {
		return fmt.Errorf("idempotency: store the headers: %w", err)
	}
	return s.store.AnswerIdempotencyKey(store.Last(ctx), sqlc.AnswerIdempotencyKeyParams{
		ID: id, TicketID: r.TicketID, Headers: headers,
		Status: int16(r.Status),             //nolint:gosec // A status has three digits.
		Body:   append([]byte{}, r.Body...), // No body is an empty one; null is no response.
	})
}

func errInProgress(cause error) error {
	return apperr.Wrap(apperr.IdempotencyInProgress, "A request with this Idempotency-Key is still under way.", cause).
		After(retryAfter)
}

// Tasks are what repeats: deleting the keys that are no longer remembered.
func (s *Service) Tasks() []background.Task {
	return []background.Task{{Name: "delete_old_idempotency_keys", Every: sweepInterval, Do: s.Sweep}}
}

// Sweep deletes the keys that are no longer remembered, a batch at a time.
func (s *Service) Sweep(ctx context.Context) error {
	return background.Batches(ctx, maxSwept, func(ctx context.Context, limit, skip int32) (int64, error) {
		return s.store.DeleteOldIdempotencyKeys(ctx, sqlc.DeleteOldIdempotencyKeysParams{
			KeptSeconds: int32(kept.Seconds()), MaxRows: limit, SkipRows: skip,
		})
	})
}
