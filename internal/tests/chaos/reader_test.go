//go:build chaos && linux

package chaos

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
)

// connectPause is how long a reader waits after a refused connection, or when the server has not set a pause.
const connectPause = 200 * time.Millisecond

// reader follows an answer as a browser's EventSource does (HTML Living Standard, section 9.2): it shows the deltas,
// clears them at a reset, and reconnects with the last event's id until it has the end. Only one goroutine uses it.
type reader struct {
	c      *cluster
	random *rand.Rand
	answer answer
	// among are the replicas to which it connects, each time a random one.
	among []*replica
	// cuts is how often it disconnects by itself, each time after up to cutBytes.
	cuts, cutBytes int
	// onText, if not nil, is called when there is text.
	onText func()

	text strings.Builder
	// lastID is the last event's id; responseID and seq are its parts.
	lastID     string
	responseID string
	seq        int

	// message is the message of the event done, and failed is the code of the event failed.
	message *client.Message
	failed  string
	// resetAt is when another attempt started the text over.
	resetAt time.Time
	retry   time.Duration
}

// event is an event as received.
type event struct{ id, name, data string }

// ended reports whether the reader has the end.
func (r *reader) ended() bool { return r.message != nil || r.failed != "" }

// follow reads until the answer's end, over any number of connections.
func (r *reader) follow() {
	for !r.ended() {
		if r.c.ctx.Err() != nil {
			r.c.violate("a reader of ticket %s never came to an end; its last event is %q", r.answer.ticket, r.lastID)
			return
		}
		r.c.add("connections", 1)
		if pause := r.connect(); pause > 0 && !r.ended() {
			r.c.sleep(pause)
		}
	}
	if r.message != nil && r.message.Content != r.text.String() {
		r.c.violate("ticket %s: a reader shows %q, but %q is stored", r.answer.ticket, r.text.String(), r.message.Content)
	}
}

// connect reads one stream to its end and returns how long to wait before the next.
func (r *reader) connect() time.Duration {
	ctx, cancel := context.WithCancel(r.c.ctx)
	defer cancel()
	response, err := r.c.api(r.pick(), r.c.customer).StreamAIResponse(ctx, r.answer.ticket, &plain.StreamAIResponseParams{
		LastEventID: r.lastID,
	})
	if err != nil {
		if r.c.ctx.Err() == nil {
			r.c.add("refused", 1)
		}
		return connectPause
	}
	defer func() { _ = response.Body.Close() }()
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNoContent:
		r.c.violate("ticket %s: 204 for a reader that has no end", r.answer.ticket)
		return connectPause
	default:
		return r.takeProblem(response)
	}
	r.c.add("streams", 1)
	body := &io.LimitedReader{R: response.Body, N: 1 << 40}
	if r.cuts > 0 {
		body.N = 1 + r.random.Int64N(int64(r.cutBytes))
	}
	retries, err := r.readStream(bufio.NewReaderSize(body, 512))
	switch {
	case r.ended():
		return 0
	case body.N == 0:
		r.cuts--
		r.c.add("cuts", 1)
		return 0
	case errors.Is(err, io.EOF) && retries > 1:
		r.c.add("told_to_come_back", 1)
		return r.retry
	default:
		r.c.add("broken_off", 1)
		return connectPause
	}
}

// pick returns a random replica that accepts requests.
func (r *reader) pick() *replica {
	var open []*replica
	for _, replica := range r.among {
		if !replica.out.Load() {
			open = append(open, replica)
		}
	}
	if len(open) == 0 {
		open = r.among
	}
	return open[r.random.IntN(len(open))]
}

// takeProblem handles an error response. Some ask the reader to come back, others end the answer.
func (r *reader) takeProblem(response *http.Response) time.Duration {
	body, _ := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	var problem plain.Problem
	if err := json.Unmarshal(body, &problem); err != nil {
		r.c.add("broken_off", 1)
		return connectPause
	}
	switch problem.Code {
	case client.ProblemCodeDraining, client.ProblemCodeDBUnavailable, client.ProblemCodeDBBusy:
		r.c.add("problem_"+string(problem.Code), 1)
		after, _ := strconv.Atoi(response.Header.Get("Retry-After"))
		return max(time.Duration(after)*time.Second, connectPause)
	case client.ProblemCodeNothingToAnswer, client.ProblemCodeAITimeout, client.ProblemCodeAIStalled,
		client.ProblemCodeAIProtocol, client.ProblemCodeAIOverloaded:
		r.failed = string(problem.Code)
		return 0
	}
	r.c.violate("ticket %s: %d %s", r.answer.ticket, response.StatusCode, body)
	return connectPause
}

// readStream handles events until the stream ends, and returns the number of retry fields.
func (r *reader) readStream(lines *bufio.Reader) (retries int, err error) {
	var e event
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return retries, err // An event without its empty line does not count.
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch field {
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			e.data = value
		case "retry":
			milliseconds, _ := strconv.Atoi(value)
			r.retry = time.Duration(milliseconds) * time.Millisecond
			retries++
		case "":
			if e.data != "" {
				r.take(e)
			}
			e = event{}
		}
		if r.ended() {
			return retries, nil
		}
	}
}

// take applies an event. Its number must be the next one.
func (r *reader) take(e event) {
	if e.name != "start" {
		if err := r.number(e); err != nil {
			r.c.violate("ticket %s: after %q: %v", r.answer.ticket, r.lastID, err)
		}
		r.lastID = e.id
	}
	var data struct {
		Content string
		Code    string
		Message *client.Message
	}
	if err := json.Unmarshal([]byte(e.data), &data); err != nil {
		r.c.violate("ticket %s: %q: %v", r.answer.ticket, e.data, err)
	}
	switch e.name {
	case "":
		r.text.WriteString(data.Content)
		if r.onText != nil {
			r.onText()
			r.onText = nil
		}
	case "reset":
		r.text.Reset()
		if r.seq > 0 {
			r.c.add("resets", 1)
			r.resetAt = time.Now()
		}
	case "done":
		r.message = data.Message
	case "failed":
		r.failed = data.Code
	}
}

// number checks that the event's number is neither a gap nor a repetition. A reset with the number 0 starts the log
// over.
func (r *reader) number(e event) error {
	responseID, number, _ := strings.Cut(e.id, ":")
	number, _, _ = strings.Cut(number, ":") // From the second attempt on, the attempt follows.
	seq, err := strconv.Atoi(number)
	if err != nil {
		return fmt.Errorf("%q is not an id: %w", e.id, err)
	}
	before := r.seq
	over := e.name == "reset" && seq == 0
	other := r.responseID != "" && responseID != r.responseID
	r.responseID, r.seq = responseID, seq
	switch {
	case over:
		r.c.add("rewound", 1)
		return nil
	case other:
		return fmt.Errorf("%q belongs to another answer, without a reset", e.id)
	case seq != before+1:
		return fmt.Errorf("%q is not the next event", e.id)
	}
	return nil
}

// sum returns the SHA-256 of the text that the reader shows.
func (r *reader) sum() string { return sumOf(r.text.String()) }

func sumOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
