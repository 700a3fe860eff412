package background

import (
	"context"

	"github.com/supportbackend/support/internal/apperr"
)

const (
	// shrink is the factor by which a failed batch is made smaller.
	shrink = 10
	// maxSkipped is how many rows one call of Batches skips before it gives up.
	maxSkipped = 20
)

// Batches calls f until no work is left. f skips the first skip rows, processes at most limit of the rest, and returns
// how many it has processed; fewer than limit means that they were the last.
//
// When a batch fails, Batches tries smaller ones, in case it was too large for the database's limits. It skips a single
// row that fails, so that it does not block the rows after it, and returns the first such failure at the end. It
// returns at once when the database is unavailable or ctx ends.
func Batches(ctx context.Context, most int32, f func(ctx context.Context, limit, skip int32) (done int64, err error)) error {
	var failed error
	limit, skip := most, int32(0)
	for {
		done, err := f(ctx, limit, skip)
		switch {
		case err == nil && done < int64(limit):
			return failed
		case err == nil:
		case ctx.Err() != nil || apperr.Is(err, apperr.DBUnavailable):
			return err
		case limit > 1:
			limit = max(limit/shrink, 1)
		default:
			if failed == nil {
				failed = err
			}
			skip++
			if skip == maxSkipped {
				return failed
			}
			limit = most
		}
	}
}
