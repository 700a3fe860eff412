package groq

import (
	"bytes"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// pieces is a reader that returns its bytes in pieces of random size.
type pieces struct {
	data   []byte
	random *rand.Rand
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.data) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.data[:1+p.random.IntN(min(len(p.data), 9))])
	p.data = p.data[n:]
	return n, nil
}

// FuzzDecoder feeds any bytes in any pieces. The decoder must not panic, must keep its limits, must return text that
// can be stored, and must not depend on where the network splits the bytes.
func FuzzDecoder(f *testing.F) {
	for _, c := range answers {
		f.Add([]byte(c.body), uint64(1))
	}
	for _, c := range faults {
		f.Add([]byte(c.body), uint64(2))
	}
	f.Add([]byte(say(strings.Repeat("x", 300))+stop), uint64(3))
	f.Add([]byte("data: "+strings.Repeat("x", 3000)), uint64(4))
	limits := testLimits()
	limits.Line, limits.Answer = 2048, 256
	f.Fuzz(func(t *testing.T, body []byte, seed uint64) {
		d := newDecoder(bytes.NewReader(body), limits)
		for _, err := d.next(); err == nil; {
			_, err = d.next()
		}
		require.LessOrEqual(t, cap(d.events.lines.line), 4*limits.Line)
		require.LessOrEqual(t, cap(d.events.data), 4*limits.Line)

		whole := decode(bytes.NewReader(body), limits)
		require.NotEqual(t, Kind("foreign"), whole.fault.Kind)
		require.LessOrEqual(t, len(whole.text), limits.Answer)
		require.NotContains(t, whole.text, "\x00")
		for _, delta := range whole.deltas {
			require.True(t, utf8.ValidString(delta))
			require.NotEmpty(t, delta)
		}
		if whole.fault == (Error{}) {
			require.NotEmpty(t, whole.text)
			require.NotEmpty(t, whole.finish)
		}
		require.Regexp(t, `^[a-z0-9_]{0,64}$`, whole.fault.Code)
		require.Equal(t, whole, decode(iotest.OneByteReader(bytes.NewReader(body)), limits))
		random := rand.New(rand.NewPCG(seed, 0))
		require.Equal(t, whole, decode(&pieces{data: body, random: random}, limits))
	})
}
