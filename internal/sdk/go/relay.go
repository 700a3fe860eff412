package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"time"
)

// keepAlive is how long a relayed stream may be silent before a comment is sent, for the proxies on the way.
const keepAlive = 15 * time.Second

// Relay passes the events of a stream on to a browser's EventSource, as the server sends them, with their ids. Give the
// stream the context of the browser's request and, by WithLastEventID, its Last-Event-ID, so that a browser that comes back
// goes on where it was.
//
// When the first that comes is an error, Relay returns it and has written nothing: the caller answers. A stream without
// events is answered with 204, which stops an EventSource. An error that comes later ends the response; the browser comes
// back, and what does not pass by itself is the first error then.
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

	next, more := <-items
	if !more {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if next.err != nil {
		return next.err
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("X-Accel-Buffering", "no")
	out := http.NewResponseController(w)
	silence := time.NewTicker(keepAlive)
	defer silence.Stop()
	for text := encodeEvent(next.event); ; {
		if _, err := w.Write(text); err != nil || out.Flush() != nil {
			return nil // There is no browser any longer.
		}
		select {
		case next, more = <-items:
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

// encodeEvent makes an event what the server sent, with members that this version of the contract does not have.
func encodeEvent(event Event) []byte {
	f := event.frame()
	if len(f.data) == 0 {
		f.data, _ = json.Marshal(event) // Every event can be encoded.
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
