package cursor

import (
	"encoding/base64"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/page"
)

const ticketsPath = "/tickets"

func newTestCursors(t *testing.T, secret string) Cursors {
	t.Helper()
	cs, err := New([]byte(secret))
	require.NoError(t, err)
	return cs
}

func randomID(r *rand.Rand) (id uuid.UUID) {
	for i := range id {
		id[i] = byte(r.UintN(256))
	}
	return id
}

func TestCursorRoundTrip(t *testing.T) {
	t.Parallel()
	cs := newTestCursors(t, "a secret")
	r := rand.New(rand.NewPCG(1, 2))
	micros := []int64{0, 1, -1, math.MinInt64 / 2, math.MaxInt64 / 2, time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC).UnixMicro()}
	for len(micros) < 500 {
		micros = append(micros, r.Int64N(4e15)-2e15)
	}
	for _, micro := range micros {
		account := randomID(r)
		want := page.Position{CreatedAt: time.UnixMicro(micro).UTC(), ID: randomID(r)}
		cursor := cs.encode(account, ticketsPath, want)
		require.Regexp(t, `^[A-Za-z0-9_-]{1,128}$`, cursor, "the pattern of the contract's parameter")
		got, err := cs.decode(account, ticketsPath, cursor)
		require.NoError(t, err)
		require.Equal(t, want, *got)
	}
}

func TestCursorWithAnyByteChangedIsRefused(t *testing.T) {
	t.Parallel()
	cs := newTestCursors(t, "a secret")
	account := uuid.Must(uuid.NewV7())
	cursor := cs.encode(account, ticketsPath, page.Position{CreatedAt: time.Now(), ID: uuid.Must(uuid.NewV7())})
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	require.NoError(t, err)
	for i := range raw {
		for bit := range 8 {
			changed := append([]byte{}, raw...)
			changed[i] ^= 1 << bit
			requireNoCursor(t, cs, account, ticketsPath, base64.RawURLEncoding.EncodeToString(changed))
		}
		requireNoCursor(t, cs, account, ticketsPath, base64.RawURLEncoding.EncodeToString(raw[:i]))
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/= \n"
	for i := range cursor {
		for _, letter := range []byte(alphabet) {
			if letter != cursor[i] {
				requireNoCursor(t, cs, account, ticketsPath, cursor[:i]+string(letter)+cursor[i+1:])
			}
		}
	}
	for _, other := range []string{cursor + "A", cursor + "=", cursor + cursor, ""} {
		requireNoCursor(t, cs, account, ticketsPath, other)
	}
}

func TestCursorIsBoundToSecretAccountAndList(t *testing.T) {
	t.Parallel()
	cs := newTestCursors(t, "a secret")
	account := uuid.Must(uuid.NewV7())
	list := "/tickets/" + uuid.NewString() + "/messages"
	cursor := cs.encode(account, list, page.Position{CreatedAt: time.Now(), ID: uuid.Must(uuid.NewV7())})
	requireNoCursor(t, newTestCursors(t, "another secret"), account, list, cursor)
	requireNoCursor(t, cs, uuid.Must(uuid.NewV7()), list, cursor)
	requireNoCursor(t, cs, uuid.Nil, list, cursor)
	requireNoCursor(t, cs, account, ticketsPath, cursor)
	requireNoCursor(t, cs, account, "/tickets/"+uuid.NewString()+"/messages", cursor)
	requireNoCursor(t, cs, account, list[:len(list)-1], cursor)
	_, err := newTestCursors(t, "a secret").decode(account, list, cursor)
	require.NoError(t, err, "another replica with the same secret accepts it")
}

func requireNoCursor(t *testing.T, cs Cursors, account uuid.UUID, list, cursor string) {
	t.Helper()
	_, err := cs.decode(account, list, cursor)
	require.True(t, apperr.Is(err, apperr.InvalidParameter), "%q was accepted", cursor)
	require.Equal(t, []apperr.Field{{Pointer: "/cursor", Code: apperr.InvalidFormat, In: "query"}}, apperr.From(err).Fields)
}
