package client

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// maxEvent bounds a line and the data of an event, in bytes.
const maxEvent = 1 << 20

// frame is one event as it was sent.
type frame struct {
	id, name string
	data     []byte
}

// eventDecoder reads server-sent events (HTML Living Standard, section 9.2.6).
type eventDecoder struct {
	r *bufio.Reader
	// retry is the reconnection time that the server last sent, if any.
	retry *time.Duration

	line    []byte
	afterCR bool // the last line ended with a CR; a following LF belongs to it
	begun   bool
}

func newEventDecoder(r io.Reader) *eventDecoder {
	return &eventDecoder{r: bufio.NewReader(r)}
}

// next returns the next event with data. It drops an event that the end of the stream cuts off.
func (d *eventDecoder) next() (frame, error) {
	var event frame
	var data bytes.Buffer
	hasData := false
	for {
		line, err := d.readLine()
		if err != nil {
			return frame{}, err
		}
		if len(line) == 0 {
			if hasData {
				event.data = bytes.TrimSuffix(data.Bytes(), []byte("\n"))
				return event, nil
			}
			event.name = ""
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "data":
			if data.Len()+len(value) > maxEvent {
				return frame{}, fmt.Errorf("%w: an event is longer than %d bytes", ErrProtocol, maxEvent)
			}
			data.Write(value)
			data.WriteByte('\n')
			hasData = true
		case "event":
			event.name = string(value)
		case "id":
			if !bytes.ContainsAny(value, "\x00\r\n") {
				event.id = string(value)
			}
		case "retry":
			if ms, err := strconv.ParseUint(string(value), 10, 31); err == nil {
				retry := time.Duration(ms) * time.Millisecond
				d.retry = &retry
			}
		}
	}
}

// readLine returns the next complete line without its ending, which is CRLF, LF or CR. A CR ends the line at once,
// because waiting for an LF could mean waiting for the next event. The line is valid until the next call.
func (d *eventDecoder) readLine() ([]byte, error) {
	d.line = d.line[:0]
	for {
		b, err := d.r.ReadByte()
		if err != nil {
			return nil, err
		}
		if b == '\n' && d.afterCR {
			d.afterCR = false
			continue
		}
		d.afterCR = b == '\r'
		if b == '\n' || b == '\r' {
			return d.withoutMark(), nil
		}
		if len(d.line) == maxEvent {
			return nil, fmt.Errorf("%w: a line is longer than %d bytes", ErrProtocol, maxEvent)
		}
		d.line = append(d.line, b)
	}
}

// withoutMark removes a byte order mark at the start of the stream.
func (d *eventDecoder) withoutMark() []byte {
	if d.begun {
		return d.line
	}
	d.begun = true
	return bytes.TrimPrefix(d.line, []byte("\ufeff"))
}

// splitEventID returns the AI response and the number in an event's id, which may also have the attempt.
func splitEventID(id string) (response string, seq uint64, isNumbered bool) {
	response, number, _ := strings.Cut(id, ":")
	number, _, _ = strings.Cut(number, ":")
	seq, err := strconv.ParseUint(number, 10, 63)
	return response, seq, err == nil
}
