package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"time"
)

// keepAlive is how long a relayed stream may be silent before Relay sends a comment, for proxies.
const keepAlive = 15 * time.Second

// Relay forwards the events of a stream to a browser's EventSource, as the server sends them, with their ids. Give the
// stream the context of the browser's request and, with WithLastEventID, its Last-Event-ID, so that a browser that
// reconnects resumes where it was.
//
// If the stream begins with an error, Relay returns it and has written nothing, so that the caller can respond. For a
// stream without events, it responds with 204, which stops an EventSource. A later error ends the response: the browser
// reconnects, and a permanent error then comes first. If the first event takes longer than 15 seconds, Relay begins the
// response with a comment.
func Relay(w http.ResponseWriter, events iter.Seq2[Event, error]) error {
	type item struct {
		event Event
		err   error
	}
	items, left := make(chan item), make(chan struct{})
	defer close(left)
	go func() {
		defer close(items)
		for event, err := range events {
			select {
			case items <- item{event, err}:
			case <-left:
				return
			}
		}
	}()

	silence := time.NewTicker(keepAlive)
	defer silence.Stop()
	text := []byte(":\n\n")
	select {
	case next, more := <-items:
		if !more {
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		if next.err != nil {
			return next.err
		}
		silence.Reset(keepAlive)
		text = encodeEvent(next.event)
	case <-silence.C:
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache, no-transform") // Proxies collect what they compress.
	w.Header().Set("X-Accel-Buffering", "no")
	out := http.NewResponseController(w)
	for {
		if _, err := w.Write(text); err != nil || out.Flush() != nil {
			return nil // The browser is gone.
		}
		select {
		case next, more := <-items:
			if !more || next.err != nil {
				return nil
			}
			silence.Reset(keepAlive)
			text = encodeEvent(next.event)
		case <-silence.C:
			text = []byte(":\n\n")
		}
	}
}

// encodeEvent returns an event as the server sent it, including members that this version of the SDK does not know.
func encodeEvent(event Event) []byte {
	f := event.frame()
	if len(f.data) == 0 {
		f.data, _ = json.Marshal(event) // Every event has a JSON form.
	}
	var text bytes.Buffer
	if f.id != "" {
		fmt.Fprintf(&text, "id: %s\n", f.id)
	}
	if f.name != "" {
		fmt.Fprintf(&text, "event: %s\n", f.name)
	}
	for line := range bytes.SplitSeq(f.data, []byte("\n")) {
		fmt.Fprintf(&text, "data: %s\n", line)
	}
	text.WriteByte('\n')
	return text.Bytes()
}
