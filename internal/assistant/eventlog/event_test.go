package eventlog

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

const anID = "0199d3c6-4a10-7d0b-8c55-2f9f60d0a4b7"

func TestEventIDRoundTrip(t *testing.T) {
	t.Parallel()
	id := EventID{ResponseID: uuid.MustParse(anID), Seq: 17, Attempt: 1}
	require.Equal(t, anID+":17", id.String())
	require.Equal(t, id, ParseEventID(id.String()))
	id.Attempt = 2
	require.Equal(t, anID+":17:2", id.String())
	require.Equal(t, id, ParseEventID(id.String()))
}

func TestInvalidEventIDIsZero(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", ":", "17", anID, anID + ":", anID + ":x", anID + ":-1", anID + ":+1", anID + ":01", anID + ":1 ", anID + ":1:", anID + ":1:1", anID + ":1:0", anID + ":1:x", anID + ":1:2:3",
		anID + ":1:2147483648",
		anID + ":9223372036854775808", strings.ToUpper(anID) + ":1", "urn:uuid:" + anID + ":1", "{" + anID + "}:1",
	} {
		require.Zero(t, ParseEventID(s), s)
	}
}

func FuzzParseEventID(f *testing.F) {
	for _, s := range []string{"", anID + ":1", anID + ":99999999999999999999", "x:1", anID + "::1", anID + ":1:2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if id := ParseEventID(s); id != (EventID{}) {
			require.Equal(t, s, id.String())
			require.GreaterOrEqual(t, id.Seq, int64(0))
		}
	})
}
