package groqsim

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"
)

var (
	errCut      = errors.New("groqsim: the script cuts the stream")
	errEarlyEOF = errors.New("groqsim: the script ends the stream early")
	errReported = errors.New("groqsim: the script reports an error")
)

// stream answers with Server-Sent Events.
func (ex *exchange) stream(answer *completion) End {
	ex.status = http.StatusOK
	ex.w.Header().Set("Content-Type", "text/event-stream")
	ex.w.Header().Set("Cache-Control", "no-cache")
	out := &streamWriter{out: ex.w, control: http.NewResponseController(ex.w), split: ex.script.SplitWrites}
	if ex.script.Gzip {
		ex.w.Header().Set("Content-Encoding", "gzip")
		zip := gzip.NewWriter(ex.w)
		defer func() { _ = zip.Close() }()
		out.out, out.zip = zip, zip
	}
	ex.w.WriteHeader(ex.status)
	err := out.control.Flush()
	if err == nil {
		err = ex.write(out, answer)
	}
	switch {
	case errors.Is(err, errCut):
		ex.cut()
		return EndCut
	case errors.Is(err, errEarlyEOF):
		return EndCut
	case errors.Is(err, errReported):
		return EndError
	}
	return endOf(err)
}

func (ex *exchange) write(out *streamWriter, answer *completion) error {
	switch {
	case ex.script.RawChunks != nil:
		for i, raw := range ex.script.RawChunks {
			if err := ex.step(i); err != nil {
				return err
			}
			if err := out.write(raw); err != nil {
				return err
			}
		}
		return ex.step(len(ex.script.RawChunks))
	case ex.script.LongLine > 0:
		return ex.writeLine(out, ex.script.LongLine)
	case ex.script.EndlessLine:
		return ex.writeLine(out, -1)
	}
	if err := ex.writeOpening(out, answer); err != nil {
		return err
	}
	if err := ex.writeContent(out, answer); err != nil {
		return err
	}
	return ex.writeEnd(out, answer)
}

// writeLine sends one line of this many bytes, or one without an end.
func (ex *exchange) writeLine(out *streamWriter, length int) error {
	if err := out.write([]byte("data: ")); err != nil {
		return err
	}
	block := bytes.Repeat([]byte("x"), 32<<10)
	for sent := len("data: "); length < 0 || sent < length; {
		n := len(block)
		if length >= 0 {
			n = min(n, length-sent)
		}
		if err := out.write(block[:n]); err != nil {
			return err
		}
		select {
		case <-ex.sim.closed:
			return errHeldClosed
		default:
		}
		sent += n
	}
	return out.write([]byte("\n\n"))
}

// writeOpening sends the chunk with the role, which also has the seed, and the reasoning.
func (ex *exchange) writeOpening(out *streamWriter, answer *completion) error {
	first := answer.chunk(false, delta{Role: "assistant", Content: json.RawMessage(`""`)})
	first.XGroq = &xGroq{ID: answer.requestID, Seed: answer.seed}
	if err := ex.send(out, "", first); err != nil {
		return err
	}
	for _, thought := range answer.reasoning {
		if err := ex.send(out, "", answer.chunk(false, delta{Reasoning: thought, Channel: "analysis"})); err != nil {
			return err
		}
	}
	return nil
}

// writeContent sends the tokens at their speed, and applies the script's faults between them.
func (ex *exchange) writeContent(out *streamWriter, answer *completion) error {
	speed := ex.script.TokensPerSecond
	if speed == 0 {
		speed = ex.sim.options.TokensPerSecond
	}
	start := time.Now()
	for i, token := range answer.tokens {
		if err := ex.disturb(out, answer, i); err != nil {
			return err
		}
		if speed > 0 {
			// The schedule counts from the start, so that writing does not make a fast stream slower.
			due := start.Add(time.Duration(float64(i) / speed * float64(time.Second)))
			if err := ex.pause(time.Until(due)); err != nil {
				return err
			}
		}
		for _, literal := range contentLiterals(token, ex.script.SplitSurrogates) {
			if err := ex.send(out, "", answer.chunk(i > len(answer.tokens)/2, delta{Content: literal})); err != nil {
				return err
			}
		}
		ex.recording.update(func(r *RequestRecord) { r.TokensSent = i + 1 })
	}
	return ex.disturb(out, answer, len(answer.tokens))
}

// disturb applies the script's faults after this many tokens.
func (ex *exchange) disturb(out *streamWriter, answer *completion, tokens int) error {
	if err := ex.step(tokens); err != nil {
		return err
	}
	if after := ex.script.ErrorAfter; after != nil && *after == tokens {
		if err := ex.report(out, answer); err != nil {
			return err
		}
		return errReported
	}
	return nil
}

// step holds, cuts or ends the stream if the script says so after this many tokens.
func (ex *exchange) step(tokens int) error {
	if err := ex.hold(tokens); err != nil {
		return err
	}
	if after := ex.script.CutAfter; after != nil && *after == tokens {
		return errCut
	}
	if after := ex.script.EOFAfter; after != nil && *after == tokens {
		return errEarlyEOF
	}
	return nil
}

// report sends an error in one of the forms that clients have to know.
func (ex *exchange) report(out *streamWriter, answer *completion) error {
	body := errorBody{Error: streamedError(ex.script)}
	switch ex.script.ErrorForm {
	case ErrorFormData:
		return ex.send(out, "", body)
	case ErrorFormXGroq:
		head := answer.head(true)
		head.XGroq = &xGroq{ID: answer.requestID, Error: body.Error.Message}
		return ex.send(out, "", head)
	case ErrorFormEvent:
	}
	return ex.send(out, "error", body)
}

// writeEnd sends the finish reason with usage in two places, usage again if the request asks for it, and [DONE].
func (ex *exchange) writeEnd(out *streamWriter, answer *completion) error {
	last := answer.chunk(true, delta{})
	last.Choices[0].FinishReason = &answer.finish
	last.XGroq = &xGroq{ID: answer.requestID}
	if !ex.script.NoUsage {
		last.XGroq.Usage, last.Usage = &answer.usage, &answer.usage
	}
	if err := ex.send(out, "", last); err != nil {
		return err
	}
	if ex.request.StreamOptions.IncludeUsage && !ex.script.NoUsage {
		extra := answer.head(true)
		extra.Usage, extra.ServiceTier = &answer.usage, "on_demand"
		if err := ex.send(out, "", extra); err != nil {
			return err
		}
	}
	if ex.script.NoDone {
		return nil
	}
	return out.write(ex.frame("", []byte("[DONE]")))
}

func (ex *exchange) send(out *streamWriter, name string, value any) error {
	data, err := encode(value)
	if err != nil {
		return err
	}
	return out.write(ex.frame(name, data))
}

// encode returns the JSON of a value, without escapes for HTML, which Groq does not use.
func encode(value any) ([]byte, error) {
	var data bytes.Buffer
	encoder := json.NewEncoder(&data)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimRight(data.Bytes(), "\n"), err
}

// frame returns an event on the wire.
func (ex *exchange) frame(name string, data []byte) []byte {
	end := "\n"
	if ex.script.CRLF {
		end = "\r\n"
	}
	var frame []byte
	if name != "" {
		frame = append(append(frame, "event: "+name...), end...)
	}
	frame = append(append(frame, "data: "...), data...)
	return append(frame, end+end...)
}

// streamWriter flushes each write, in pieces of split bytes if that is not 0.
type streamWriter struct {
	out     io.Writer
	zip     *gzip.Writer
	control *http.ResponseController
	split   int
}

func (s *streamWriter) write(data []byte) error {
	size := s.split
	if size == 0 {
		size = max(1, len(data))
	}
	for len(data) > 0 {
		n := min(size, len(data))
		if _, err := s.out.Write(data[:n]); err != nil {
			return err
		}
		if s.zip != nil {
			if err := s.zip.Flush(); err != nil {
				return err
			}
		}
		if err := s.control.Flush(); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}
