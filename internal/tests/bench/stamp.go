package main

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

const (
	// stampUnit is the resolution of a stamp, and stampSpan is when stamps wrap around. No token takes that long.
	stampUnit = 10 * time.Microsecond
	stampSpan = 1_000_000

	// blankStamp is a token of the simulator, about as long as a word. The digits are filled in when it is sent.
	blankStamp = "~000000"
)

// clock is the clock of stamps.
type clock struct{ begin time.Time }

// now returns the current stamp.
func (c clock) now() int { return int(time.Since(c.begin)/stampUnit) % stampSpan }

// since returns the time since a stamp.
func (c clock) since(stamp int) time.Duration {
	return time.Duration((c.now()-stamp+stampSpan)%stampSpan) * stampUnit
}

// tokens returns the tokens of an answer.
func tokens(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = blankStamp
	}
	return list
}

// stamped puts the time of sending into every token, so that it survives any proxy.
func (c clock) stamped(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&stampWriter{ResponseWriter: w, clock: c}, r)
	})
}

type stampWriter struct {
	http.ResponseWriter
	clock clock
}

// Unwrap lets http.ResponseController flush.
func (w *stampWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *stampWriter) Write(p []byte) (int, error) {
	if !bytes.Contains(p, []byte(blankStamp)) {
		return w.ResponseWriter.Write(p)
	}
	stamp := fmt.Appendf(nil, "%c%0*d", blankStamp[0], len(blankStamp)-1, w.clock.now())
	return w.ResponseWriter.Write(bytes.ReplaceAll(p, []byte(blankStamp), stamp))
}

// nextStamp returns the first stamp in the text and the text after it. Without a complete stamp, ok is false and rest
// begins where one may begin.
func nextStamp(text []byte) (stamp int, rest []byte, ok bool) {
	at := bytes.IndexByte(text, blankStamp[0])
	switch {
	case at < 0:
		return 0, nil, false
	case len(text) < at+len(blankStamp):
		return 0, text[at:], false
	}
	end := at + len(blankStamp)
	stamp, err := strconv.Atoi(string(text[at+1 : end]))
	return stamp, text[end:], err == nil
}
