package sdktest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"time"
)

const (
	// maxBody bounds the bodies of requests, in bytes.
	maxBody = 1 << 20
	// gatherTimeout is how long the requests of an exchange wait for each other.
	gatherTimeout = 10 * time.Second
)

// Player is the server of one fixture, for one run of it.
type Player struct {
	exchanges []Exchange
	unordered bool

	mu        sync.Mutex
	seen      []int           // how often each exchange has started
	gathered  []chan struct{} // closed when all requests of an exchange have arrived
	variables map[string]string
	answered  time.Time // when the last response ended
	faults    []error
}

// NewPlayer returns a server at the beginning of the fixture.
func NewPlayer(f Fixture) *Player {
	p := &Player{
		exchanges: f.Exchanges, unordered: f.Unordered,
		seen: make([]int, len(f.Exchanges)), variables: map[string]string{},
	}
	for range f.Exchanges {
		p.gathered = append(p.gathered, make(chan struct{}))
	}
	return p
}

// Verify returns the faults of the requests, and which requests did not arrive.
func (p *Player) Verify() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	faults := p.faults
	for i, e := range p.exchanges {
		if missing := times(e) - p.seen[i]; missing > 0 {
			faults = append(faults, fmt.Errorf("exchange %d, %s %s, is missing %d times", i, e.Request.Method, e.Request.Path, missing))
		}
	}
	return errors.Join(faults...)
}

// ServeHTTP plays the response to the next request of the fixture. Any other request gets 500.
func (p *Player) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return
	}
	// Without kept connections, the client cannot silently repeat a request whose connection was closed.
	w.Header().Set("Connection", "close")
	i, err := p.take(r, body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	select {
	case <-p.gathered[i]:
	case <-time.After(gatherTimeout):
		p.fail(fmt.Errorf("exchange %d: the other requests have not come", i))
	case <-r.Context().Done():
	}
	defer p.end()
	answer(r.Context(), w, p.exchanges[i].Response)
}

// take returns the exchange that a request belongs to.
func (p *Player) take(r *http.Request, body []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var unlike []error
	for i, e := range p.exchanges {
		if p.seen[i] == times(e) {
			continue
		}
		err := p.match(e.Request, r, body)
		if err == nil {
			p.seen[i]++
			if p.seen[i] == times(e) {
				close(p.gathered[i])
			}
			return i, nil
		}
		unlike = append(unlike, fmt.Errorf("exchange %d: %w", i, err))
		if !p.unordered {
			break
		}
	}
	err := fmt.Errorf("%s %s was not expected: %w", r.Method, r.URL.RequestURI(), errors.Join(unlike...))
	p.faults = append(p.faults, err)
	return 0, err
}

func (p *Player) match(want Request, r *http.Request, body []byte) error {
	if r.Method != want.Method || !sameURL(want.Path, r.URL) {
		return fmt.Errorf("want %s %s", want.Method, want.Path)
	}
	if want.Body != nil && !sameJSON(want.Body, body) {
		return fmt.Errorf("want the body %s, got %s", want.Body, body)
	}
	delay := time.Since(p.answered)
	if least := time.Duration(want.MinDelayMS) * time.Millisecond; !p.answered.IsZero() && delay < least {
		return fmt.Errorf("want it after %s, got it after %s", least, delay)
	}
	bound := map[string]string{}
	for name, value := range want.Headers {
		if err := p.matchHeader(name, value, r.Header.Values(name), bound); err != nil {
			return err
		}
	}
	for name, value := range bound {
		p.variables[name] = value
	}
	return nil
}

// matchHeader checks that a variable has the value that it had before, or a new one that no other variable has.
func (p *Player) matchHeader(name string, want *string, got []string, bound map[string]string) error {
	switch {
	case want == nil && len(got) == 0:
		return nil
	case want == nil || len(got) != 1:
		return fmt.Errorf("the header %s is there %d times: %q", name, len(got), got)
	}
	value := *want
	if strings.HasPrefix(value, "$") {
		known, isKnown := p.variables[value]
		if !isKnown && p.isTaken(got[0]) {
			return fmt.Errorf("the header %s is as in an earlier request: %q", name, got[0])
		}
		value = cmp.Or(known, got[0])
		bound[*want] = value
	}
	if got[0] != value {
		return fmt.Errorf("want the header %s to be %q, got %q", name, value, got[0])
	}
	return nil
}

func (p *Player) isTaken(value string) bool {
	for _, other := range p.variables {
		if other == value {
			return true
		}
	}
	return false
}

func (p *Player) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answered = time.Now()
}

func (p *Player) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, err)
}

func answer(ctx context.Context, w http.ResponseWriter, response Response) {
	if response.Drop {
		panic(http.ErrAbortHandler)
	}
	if response.Body != nil {
		contentType := "application/json"
		if response.Status >= http.StatusBadRequest {
			contentType = "application/problem+json"
		}
		w.Header().Set("Content-Type", contentType)
	}
	if response.Chunks != nil {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	}
	for name, value := range response.Headers {
		w.Header().Set(name, value)
	}
	w.WriteHeader(response.Status)
	_, _ = w.Write(response.Body)
	controller := http.NewResponseController(w)
	for _, chunk := range response.Chunks {
		_, _ = w.Write(chunk)
		_ = controller.Flush()
		select {
		case <-time.After(time.Duration(response.PauseMS) * time.Millisecond):
		case <-ctx.Done():
			return
		}
	}
	if response.Cut {
		_ = controller.Flush()
		panic(http.ErrAbortHandler)
	}
}

func times(e Exchange) int { return max(e.Times, 1) }

// sameURL compares URLs, ignoring the order of query parameters.
func sameURL(want string, got *url.URL) bool {
	wanted, err := url.Parse(want)
	return err == nil && wanted.Path == got.Path && reflect.DeepEqual(wanted.Query(), got.Query())
}

func sameJSON(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}
