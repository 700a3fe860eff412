// Package groqsim simulates Groq's chat completions API, streaming and not, as far as its wire format has been recorded:
// for tests, for development without a key, and for trying out failures.
//
// A [Simulator] answers every request by a [Script]. Without one it says something plausible about the customer's
// subject. Scripts are queued by [Simulator.Enqueue] or over HTTP, and every request is recorded:
//
//	POST   /openai/v1/chat/completions     also /v1/chat/completions
//	GET    /openai/v1/models               also /v1/models
//	POST   /__sim/scripts                  queue a script, or an array of scripts
//	GET    /__sim/requests                 the recorded requests; DELETE forgets them
//	POST   /__sim/gates/{name}/release     let the streams go on that wait at a gate
//	POST   /__sim/reset                    forget scripts, requests and gates
//
// The control paths need no key: bind the simulator to a loopback address.
package groqsim

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	maxRequestBody = 4 << 20
	maxControlBody = 16 << 20
	maxQueue       = 10_000
)

// ErrQueueFull is returned by [Simulator.Enqueue] when too many scripts are waiting.
var ErrQueueFull = errors.New("groqsim: more than 10000 scripts are queued")

// Options configures a [Simulator]. The zero value accepts any key and any model and writes as fast as it can.
type Options struct {
	// APIKey is the only bearer token accepted; empty accepts every token that is not empty.
	APIKey string
	// KeyOptional also accepts requests without a key, like local servers.
	KeyOptional bool
	// Models are the ids that exist; empty means that every model does, and lists the ones Groq offers.
	Models []string
	// TokensPerSecond is the speed of scripts that name none; 0 is unthrottled.
	TokensPerSecond float64
	// Default is the script of requests for which none is queued.
	Default Script
	// Logger gets one line for every request that has ended; nil means none.
	Logger *slog.Logger
}

// Simulator is an http.Handler that behaves like Groq. It is safe for concurrent use.
type Simulator struct {
	options  Options
	mux      *http.ServeMux
	closed   chan struct{} // closed by Close, to end what is held
	once     sync.Once
	recorder recorder

	mu    sync.Mutex
	queue []Script
	gates map[string]chan struct{}
}

// New returns a simulator.
func New(o Options) *Simulator {
	s := &Simulator{options: o, mux: http.NewServeMux(), closed: make(chan struct{}), gates: map[string]chan struct{}{}}
	for _, prefix := range []string{"/openai/v1", "/v1"} {
		s.mux.HandleFunc("POST "+prefix+"/chat/completions", s.completions)
		s.mux.HandleFunc("GET "+prefix+"/models", s.models)
	}
	s.mux.HandleFunc("POST /__sim/scripts", s.postScripts)
	s.mux.HandleFunc("GET /__sim/requests", s.getRequests)
	s.mux.HandleFunc("DELETE /__sim/requests", s.deleteRequests)
	s.mux.HandleFunc("POST /__sim/gates/{name}/release", s.postRelease)
	s.mux.HandleFunc("POST /__sim/reset", s.postReset)
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, http.StatusNotFound, apiError{
			Message: "Unknown request URL: " + r.Method + " " + r.URL.Path + ". Please check the URL for typos, " +
				"or see the docs at https://console.groq.com/docs/",
			Type: "invalid_request_error", Code: "unknown_url",
		})
	})
	return s
}

// ServeHTTP answers one request.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Close ends the streams that are held by a gate or a stall, and every later hold, so that a server can shut down.
func (s *Simulator) Close() { s.once.Do(func() { close(s.closed) }) }

// Enqueue adds scripts to the queue. A request takes the first script whose Match its last user message contains, and
// the script leaves the queue after it has been used Times times. It returns ErrQueueFull, or an error for a script
// that contradicts itself; then none has been added.
func (s *Simulator) Enqueue(scripts ...Script) error {
	for _, script := range scripts {
		if err := script.Validate(); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue)+len(scripts) > maxQueue {
		return ErrQueueFull
	}
	s.queue = append(s.queue, scripts...)
	return nil
}

// Release opens a gate. It stays open until Reset, so it may be released before a stream gets there.
func (s *Simulator) Release(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gate := s.gateLocked(name)
	select {
	case <-gate:
	default:
		close(gate)
	}
}

// Reset deletes queued scripts, recorded requests and gates. Streams that are held at a gate continue.
func (s *Simulator) Reset() {
	s.mu.Lock()
	for name, gate := range s.gates {
		select {
		case <-gate:
		default:
			close(gate)
		}
		delete(s.gates, name)
	}
	s.queue = nil
	s.mu.Unlock()
	s.recorder.clear()
}

// Requests returns the recorded requests, oldest first.
func (s *Simulator) Requests() []RequestRecord { return s.recorder.snapshot() }

// Wait returns nil as soon as done reports true for the recorded requests, or the cause of ctx's end. It calls done at once, and
// again after every change.
func (s *Simulator) Wait(ctx context.Context, done func([]RequestRecord) bool) error {
	return s.recorder.wait(ctx, done)
}

func (s *Simulator) gate(name string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gateLocked(name)
}

func (s *Simulator) gateLocked(name string) chan struct{} {
	gate, ok := s.gates[name]
	if !ok {
		gate = make(chan struct{})
		s.gates[name] = gate
	}
	return gate
}

// take returns the script for a request, and whether it came from the queue.
func (s *Simulator) take(lastUserMessage string) (Script, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.queue {
		script := s.queue[i]
		if !strings.Contains(lastUserMessage, script.Match) {
			continue
		}
		switch {
		case script.Times > 1:
			s.queue[i].Times--
		case script.Times >= 0:
			s.queue = slices.Delete(s.queue, i, i+1)
		}
		return script, true
	}
	return s.options.Default, false
}

// completions answers one chat completion and keeps a record of it.
func (s *Simulator) completions(w http.ResponseWriter, r *http.Request) {
	// The whole body is read first: only then does the server notice that the client has left.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBody))
	rec := s.recorder.begin(r, body)
	if err != nil {
		rec.finish(http.StatusBadRequest, EndError)
		writeError(w, http.StatusBadRequest, invalidRequest("failed to read the request body"))
		return
	}
	ex := &exchange{sim: s, w: w, r: r, recording: rec, start: time.Now()}
	var end End
	ended := false
	defer func() {
		// A cut connection leaves by a panic, which net/http expects.
		if !ended {
			end = EndCut
		}
		rec.finish(ex.status, end)
		if s.options.Logger != nil {
			s.options.Logger.InfoContext(r.Context(), "request", "path", r.URL.Path, "status", ex.status, "end", string(end),
				"tokens", rec.tokens(), "duration", time.Since(ex.start).Round(time.Millisecond))
		}
	}()
	end = ex.answer(body)
	ended = true
}

func (s *Simulator) models(w http.ResponseWriter, r *http.Request) {
	if !s.authorized(r) {
		writeError(w, http.StatusUnauthorized, errInvalidKey)
		return
	}
	type model struct {
		ID      string `json:"id"`
		Object  string `json:"object"`
		Created int64  `json:"created"`
		OwnedBy string `json:"owned_by"`
		Active  bool   `json:"active"`
		Context int    `json:"context_window"`
	}
	ids := s.options.Models
	if len(ids) == 0 {
		ids = []string{"openai/gpt-oss-120b", "openai/gpt-oss-20b", "qwen/qwen3.8-27b"}
	}
	data := make([]model, 0, len(ids))
	for _, id := range ids {
		owner, _, _ := strings.Cut(id, "/")
		data = append(data, model{ID: id, Object: "model", Created: 1754408224, OwnedBy: owner, Active: true, Context: 131072})
	}
	writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": data})
}

func (s *Simulator) authorized(r *http.Request) bool {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if s.options.KeyOptional && token == "" {
		return true
	}
	return ok && token != "" && (s.options.APIKey == "" || token == s.options.APIKey)
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // The client has left; there is nobody to tell.
}
