// Package stamp measures how long a token is on its way: the simulator puts the time of sending into each.
package stamp

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

const (
	// unit is the resolution of a stamp, and span is when stamps wrap around. No token takes that long.
	unit = 10 * time.Microsecond
	span = 1_000_000

	// Blank is a token of the simulator, about as long as a word. The digits are filled in when it is sent.
	Blank = "~000000"
)

// Clock tells the time in stamps.
type Clock struct{ begin time.Time }

// NewClock returns a clock that starts now.
func NewClock() Clock { return Clock{begin: time.Now()} }

// now returns the current stamp.
func (c Clock) now() int { return int(time.Since(c.begin)/unit) % span }

// Since returns the time since a stamp.
func (c Clock) Since(stamp int) time.Duration {
	return time.Duration((c.now()-stamp+span)%span) * unit
}

// Tokens returns the n tokens of an answer, for a script of the simulator.
func Tokens(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = Blank
	}
	return list
}

// Stamped puts the time of sending into every blank token of the responses, so that it survives any proxy.
func (c Clock) Stamped(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&writer{ResponseWriter: w, clock: c}, r)
	})
}

type writer struct {
	http.ResponseWriter
	clock Clock
}

// Unwrap lets http.ResponseController flush.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *writer) Write(p []byte) (int, error) {
	if !bytes.Contains(p, []byte(Blank)) {
		return w.ResponseWriter.Write(p)
	}
	stamp := fmt.Appendf(nil, "%c%0*d", Blank[0], len(Blank)-1, w.clock.now())
	return w.ResponseWriter.Write(bytes.ReplaceAll(p, []byte(Blank), stamp))
}

// Next returns the first stamp in the text and the text after it. Without a complete stamp, ok is false and rest
// begins where one may begin.
func Next(text []byte) (stamp int, rest []byte, ok bool) {
	at := bytes.IndexByte(text, Blank[0])
	switch {
	case at < 0:
		return 0, nil, false
	case len(text) < at+len(Blank):
		return 0, text[at:], false
	}
	end := at + len(Blank)
	stamp, err := strconv.Atoi(string(text[at+1 : end]))
	return stamp, text[end:], err == nil
}
