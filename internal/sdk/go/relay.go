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
// When the first that comes is an error, Relay returns it and writes nothing: the caller answers. A stream without events is
// answered with 204, which stops an EventSource. An error that comes later ends the response, and the browser comes back.
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
	text, err := encodeEvent(next.event)
	for {
		if err != nil {
			return err
		}
		if _, err = w.Write(text); err == nil {
			err = out.Flush()
		}
		if err != nil {
			return fmt.Errorf("support: relay the stream: %w", err)
		}
		select {
		case next, more = <-items:
			switch {
			case !more:
				return nil
			case next.err != nil:
				return next.err
			}
			silence.Reset(keepAlive)
			text, err = encodeEvent(next.event)
		case <-silence.C:
			text = []byte(":\n\n")
		}
	}
}

// encodeEvent makes an event what the server sent, with members that this version of the contract does not have.
func encodeEvent(event Event) ([]byte, error) {
	f := event.frame()
	if len(f.data) == 0 {
		var err error
		if f.data, err = json.Marshal(event); err != nil {
			return nil, err
		}
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
	return text.Bytes(), nil
}
