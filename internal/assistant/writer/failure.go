package writer

import (
	"errors"
	"math"
	"time"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant/eventlog"
	"github.com/supportbackend/support/internal/assistant/upstream"
)

// overloadedPause is the Retry-After if upstream did not name one.
const overloadedPause = 5 * time.Second

// errStopping ends answers that a stopping process has no time to finish.
var errStopping = errors.New("writer: the process is stopping")

// Failure converts the error that ended an answer, or kept it from beginning, to the error for its readers.
func Failure(err error) *apperr.Error {
	code, ok := upstream.Code(err)
	if !ok {
		return apperr.From(err)
	}
	failure := apperr.Wrap(code, eventlog.Failure(code).Detail, err)
	if code == apperr.AIOverloaded {
		failure.RetryAfter = max(upstream.RetryAfter(err), overloadedPause)
	}
	return failure
}

// retryAfterSeconds returns a failure's RetryAfter in the log's form, nil for none.
func retryAfterSeconds(failure *apperr.Error) *int32 {
	if failure.RetryAfter <= 0 {
		return nil
	}
	// Upstream's waits are at most a day.
	return new(int32(min(math.Ceil(failure.RetryAfter.Seconds()), math.MaxInt32)))
}
