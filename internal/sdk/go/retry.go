package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

const (
	defaultRetries = 2
	// firstPause is the pause before the first retry; it doubles up to maxPause.
	firstPause = 500 * time.Millisecond
	maxPause   = 30 * time.Second
	// maxRetryAfter is the longest Retry-After that the SDK waits for.
	maxRetryAfter = time.Minute
)

// retry calls try until it succeeds, the retries are used up, or another try would not help.
func (s *Support) retry(ctx context.Context, o operation, try func() error) error {
	for n := 0; ; n++ {
		err := try()
		if err == nil || n == s.retries || !o.repeatable || !mayHelp(ctx, err) {
			return err
		}
		if err := wait(ctx, max(lengthen(firstPause, n), pauseOf(err))); err != nil {
			return err
		}
	}
}

// unsendableError is a request that cannot be made.
type unsendableError struct{ error }

func (e unsendableError) Unwrap() error { return e.error }

// mayHelp reports whether sending the same request again may succeed.
func mayHelp(ctx context.Context, err error) bool {
	return !errors.Is(err, errRefresh) && mayPass(ctx, err)
}

// mayPass reports whether the cause of the error may pass by itself. Those who follow something for longer than a
// request's retries then continue, even after a renewal that failed.
func mayPass(ctx context.Context, err error) bool {
	var problem *Problem
	var unsendable unsendableError
	switch {
	case ctx.Err() != nil, errors.Is(err, ErrProtocol), errors.Is(err, ErrNotModified), errors.Is(err, errStore),
		errors.As(err, &unsendable):
		return false
	case errors.As(err, &problem):
		return problem.Retryable && problem.RetryAfter <= maxRetryAfter
	default:
		return true // There was no response, or an incomplete one.
	}
}

// pauseOf returns the wait that the server asked for.
func pauseOf(err error) time.Duration {
	var problem *Problem
	if errors.As(err, &problem) {
		return problem.RetryAfter
	}
	return 0
}

// lengthen doubles a pause n times, up to maxPause, and adds up to a quarter at random, so that clients that one fault
// disconnected do not return at the same time.
func lengthen(pause time.Duration, n int) time.Duration {
	pause = min(pause, maxPause)
	for range n {
		pause = min(2*pause, maxPause)
	}
	return pause + rand.N(pause/4+1)
}

func wait(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
