package groq

import (
	"bufio"
	"bytes"
	"io"
)

// event is one dispatched Server-Sent Event. Its data is only valid until the next one is read.
type event struct {
	name string
	data []byte
}

// eventReader splits a body into events as the WHATWG HTML standard says: lines end in CR, LF or CRLF, one leading byte
// order mark is dropped, comments and unknown fields are ignored, the data lines of an event are joined by LF, and an
// event that no blank line ends is never dispatched. Neither a line nor an event's data may be longer than max bytes.
type eventReader struct {
	lines lineReader
	data  []byte
}

func newEventReader(r io.Reader, max int) eventReader {
	return eventReader{lines: lineReader{r: bufio.NewReaderSize(r, 4<<10), max: max, first: true}}
}

// next returns the next event that has data, or the error that ended the input.
func (e *eventReader) next() (event, error) {
	e.data = e.data[:0]
	var name string
	for {
		line, err := e.lines.next()
		if err != nil {
			return event{}, err
		}
		if len(line) == 0 {
			if len(e.data) > 0 {
				return event{name: name, data: e.data[:len(e.data)-1]}, nil
			}
			name = ""
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "event":
			name = string(value)
		case "data":
			if len(e.data)+len(value) > e.lines.max {
				return event{}, protocolError("line_too_long")
			}
			e.data = append(e.data, value...)
			e.data = append(e.data, '\n')
		}
	}
}

// lineReader returns a line as soon as its end has arrived. It looks at what is buffered instead of asking bufio for a
// line, because CR ends a line too: waiting for the LF that may follow would hold back the last event of a chunk.
type lineReader struct {
	r       *bufio.Reader
	max     int
	line    []byte
	first   bool
	afterCR bool
}

func (l *lineReader) next() ([]byte, error) {
	l.line = l.line[:0]
	for {
		if _, err := l.r.Peek(1); err != nil {
			return nil, err
		}
		chunk, _ := l.r.Peek(l.r.Buffered())
		if l.afterCR {
			l.afterCR = false
			if chunk[0] == '\n' {
				_, _ = l.r.Discard(1)
				continue
			}
		}
		end := bytes.IndexAny(chunk, "\r\n")
		part := chunk
		if end >= 0 {
			part = chunk[:end]
		}
		if len(l.line)+len(part) > l.max {
			return nil, protocolError("line_too_long")
		}
		l.line = append(l.line, part...)
		if end < 0 {
			_, _ = l.r.Discard(len(chunk))
			continue
		}
		l.afterCR = chunk[end] == '\r'
		_, _ = l.r.Discard(end + 1)
		if l.first {
			l.first = false
			return bytes.TrimPrefix(l.line, []byte("\uFEFF")), nil
		}
		return l.line, nil
	}
}
