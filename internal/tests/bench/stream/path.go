package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/supportbackend/support/internal/tests/bench/rig"
	"github.com/supportbackend/support/internal/tests/bench/stamp"
)

// path is a way to get an answer.
type path struct {
	name string
	// process is the process between the reader and the simulator, if any.
	process *rig.Process
	// request returns the request for the i-th answer.
	request func(ctx context.Context, i int) (*http.Request, error)
	// end is a text of the last event.
	end string
}

// sample has the measurements of one answer.
type sample struct {
	// firstToken is the time from the request to the first token.
	firstToken time.Duration
	// lags are the times of all tokens from the simulator to the reader.
	lags []time.Duration
}

var errNotWhole = errors.New("the answer is not whole")

// read reads one answer with this many tokens to its end.
func (p path) read(ctx context.Context, c *http.Client, clock stamp.Clock, i, tokens int) (sample, error) {
	request, err := p.request(ctx, i)
	if err != nil {
		return sample{}, err
	}
	begin := time.Now()
	response, err := c.Do(request)
	if err != nil {
		return sample{}, err
	}
	defer func() { _ = response.Body.Close() }()
	s := sample{lags: make([]time.Duration, 0, tokens)}
	var text []byte
	for buffer := make([]byte, 32<<10); ; {
		n, err := response.Body.Read(buffer)
		text = append(text, buffer[:n]...)
		// The last event may contain the whole text again.
		for len(s.lags) < tokens {
			sent, rest, ok := stamp.Next(text)
			if !ok {
				break
			}
			if len(s.lags) == 0 {
				s.firstToken = time.Since(begin)
			}
			s.lags, text = append(s.lags, clock.Since(sent)), rest
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, io.EOF) || response.StatusCode != http.StatusOK || len(s.lags) < tokens || !bytes.Contains(text, []byte(p.end)) {
			return s, fmt.Errorf("%s: %w: %s, %d tokens, then %.300q: %w", p.name, errNotWhole, response.Status, len(s.lags), text, err)
		}
		return s, nil
	}
}
