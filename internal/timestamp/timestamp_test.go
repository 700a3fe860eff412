package timestamp_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/timestamp"
)

func TestFormatAndParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-02-28T09:05:07Z":                "2026-02-28T09:05:07.000000Z",
		"2026-02-28T09:05:07.123456789+02:00": "2026-02-28T07:05:07.123456Z",
		"0000-01-01T00:00:00Z":                "0000-01-01T00:00:00.000000Z",
		"9999-12-31T23:59:59.9999999+00:01":   "9999-12-31T23:58:59.999999Z",
	} {
		at, code := timestamp.Parse(text)
		require.Empty(t, code, text)
		require.Equal(t, want, timestamp.Format(at))
		require.Equal(t, want, at.Format("2006-01-02T15:04:05.000000Z"))
	}
	for text, want := range map[string]apperr.FieldCode{
		"2026-02-30T00:00:00Z":      apperr.InvalidFormat,
		"yesterday":                 apperr.InvalidFormat,
		"9999-12-31T23:59:59-00:01": apperr.OutOfRange,
	} {
		_, code := timestamp.Parse(text)
		require.Equal(t, want, code, text)
	}
	require.Equal(t, "10000-01-01T00:00:00.000000Z", timestamp.Format(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)))
}
