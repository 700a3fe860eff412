package writer

import (
	"errors"
	"math"
	"time"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant/eventlog"
	"github.com/supportbackend/support/internal/assistant/upstream"
)

// overloadedPause is when to ask again where upstream has not said.
const overloadedPause = 5 * time.Second

// errStopping ends the answers that a process which is told to stop has no time for.
var errStopping = errors.New("writer: the process is stopping")

// Failure turns what ended an answer, or kept it from beginning, into what its readers are told.
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

// retryAfterSeconds is how the log keeps the wait that a failure names; nil when it names none.
func retryAfterSeconds(failure *apperr.Error) *int32 {
	if failure.RetryAfter <= 0 {
		return nil
	}
	// Upstream's waits are bounded to a day.
	return new(int32(min(math.Ceil(failure.RetryAfter.Seconds()), math.MaxInt32)))
}
