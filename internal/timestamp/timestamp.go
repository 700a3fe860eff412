// Package timestamp is the time format of the API: RFC 3339 in UTC, with six fractional digits.
package timestamp

import (
	"time"

	"github.com/supportbackend/support/internal/apperr"
)

// LastYear is the last year that the format can show.
const LastYear = 9999

// Format formats a time as 2006-01-02T15:04:05.000000Z. Lists have many times, and time.Format is ten times slower.
func Format(t time.Time) string {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 || year > LastYear {
		return t.Format("2006-01-02T15:04:05.000000Z") // The year has more than four digits.
	}
	hour, minute, second := t.Clock()
	text := []byte("0000-00-00T00:00:00.000000Z")
	for _, part := range [...]struct{ end, value int }{
		{4, year}, {7, int(month)}, {10, day}, {13, hour}, {16, minute}, {19, second}, {26, t.Nanosecond() / 1000},
	} {
		for i, rest := part.end-1, part.value; rest > 0; i, rest = i-1, rest/10 {
			text[i] = byte('0' + rest%10)
		}
	}
	return string(text)
}

// Parse parses a time (RFC 3339) in the database's precision. The code says what is wrong with the text, and is empty for a time
// that Format can show. The contract's pattern accepts dates that do not exist, such as 30 February.
func Parse(text string) (t time.Time, code apperr.FieldCode) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, apperr.InvalidFormat
	}
	if t = t.UTC().Truncate(time.Microsecond); t.Year() > LastYear {
		return t, apperr.OutOfRange
	}
	return t, ""
}
