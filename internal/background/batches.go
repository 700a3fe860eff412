package background

import (
	"context"

	"github.com/supportbackend/support/internal/apperr"
)

const (
	// shrink is by how much a batch that has failed is made smaller.
	shrink = 10
	// maxSkipped is how many rows one call of Batches passes over before it gives up.
	maxSkipped = 20
)

// Batches calls f until no work is left. f skips the first skip rows, works on at most limit of the rest, and returns how many
// it has done; fewer than limit means that they were the last.
//
// A batch that fails is tried in smaller ones, in case it was too large for the database's limits. A single row that fails is
// passed over, so that it does not keep the rows after it. Batches returns the first such failure at its end. It returns at
// once when the database does not answer, or ctx ends.
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
