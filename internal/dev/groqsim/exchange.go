package groqsim

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// errHeldClosed ends streams that are held when the simulator is closed.
var errHeldClosed = errors.New("groqsim: closed")

// exchange is one request that is being answered.
type exchange struct {
	sim       *Simulator
	w         http.ResponseWriter
	r         *http.Request
	recording *recording
	start     time.Time
	status    int
	request   ChatRequest
	script    Script
}

// answer answers the request and says how that ended.
func (ex *exchange) answer(body []byte) End {
	if err := json.Unmarshal(body, &ex.request); err != nil {
		return ex.refuse(http.StatusBadRequest, invalidRequest("the request body is not valid JSON for a chat completion"))
	}
	var queued bool
	ex.script, queued = ex.sim.take(ex.request.LastUserMessage())
	ex.recording.update(func(r *RequestRecord) {
		r.Chat, r.Script, r.Queued = ex.request, ex.script, queued
	})
	if err := ex.hold(-1); err != nil {
		return endOf(err)
	}
	if err := ex.pause(time.Duration(ex.script.HeaderDelay)); err != nil {
		return endOf(err)
	}
	if ex.script.failsEarly() {
		return ex.fail()
	}
	if status, e := ex.check(); e != nil {
		return ex.refuse(status, *e)
	}
	if e := ex.demand(body); e != nil {
		return ex.refuse(cmp.Or(ex.script.Status, http.StatusBadRequest), *e)
	}
	number := ex.recording.record.ID
	answer := complete(ex.request, ex.script, number)
	ex.setHeader(answer.requestID)
	switch {
	case ex.script.HTML:
		return ex.page()
	case !ex.request.Stream || ex.script.JSON:
		return ex.whole(&answer)
	}
	return ex.stream(&answer)
}

// check returns the error that Groq would answer to this request.
func (ex *exchange) check() (int, *apiError) {
	if !ex.sim.authorized(ex.r) {
		return http.StatusUnauthorized, &errInvalidKey
	}
	if e := ex.request.validate(); e != nil {
		return http.StatusBadRequest, e
	}
	if models := ex.sim.options.Models; len(models) > 0 {
		known := false
		for _, id := range models {
			known = known || id == ex.request.Model
		}
		if !known {
			e := modelNotFound(ex.request.Model)
			return http.StatusNotFound, &e
		}
	}
	requested := ex.request.promptTokens() + max(ex.request.budget(), 0)
	if limit := ex.script.TokensPerMinute; limit > 0 && requested > limit {
		ex.script.RetryAfter = "64" // Groq sends it, although waiting helps nobody.
		e := tooLarge(ex.request.Model, limit, requested)
		return http.StatusRequestEntityTooLarge, &e
	}
	return 0, nil
}

// fail answers with what the script has instead of a model.
func (ex *exchange) fail() End {
	switch {
	case ex.script.Reset:
		ex.cut()
		return EndCut
	case ex.script.Redirect != "":
		ex.status = http.StatusTemporaryRedirect
		ex.w.Header().Set("Location", ex.script.Redirect)
		ex.w.WriteHeader(ex.status)
		return EndError
	}
	return ex.refuse(ex.script.Status, scriptedError(ex.script, ex.request.Model))
}

func (ex *exchange) refuse(status int, e apiError) End {
	_, requestID := ids(ex.recording.record.ID)
	ex.setHeader(requestID)
	if ex.script.RetryAfter != "" {
		ex.w.Header().Set("Retry-After", ex.script.RetryAfter)
	}
	ex.status = status
	if ex.script.ErrorBody != "" {
		ex.w.Header().Set("Content-Type", "application/json")
		ex.w.WriteHeader(status)
		_, _ = io.WriteString(ex.w, ex.script.ErrorBody) // The client has left; there is nobody to tell.
		return EndError
	}
	writeError(ex.w, status, e)
	return EndError
}

// demand returns the error of a server that requires of a request what Groq does not.
func (ex *exchange) demand(body []byte) *apiError {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(body, &members) // It is JSON, or the request would have been refused.
	for _, name := range ex.script.Refuses {
		if _, found := members[name]; found {
			e := invalidRequest("Unknown parameter: '" + name + "'.")
			return &e
		}
	}
	if ex.script.Alternates && !ex.request.alternates() {
		e := invalidRequest("After the optional system message, conversation roles must alternate user/assistant/user/assistant/...")
		return &e
	}
	if limit := ex.script.ContextTokens; limit > 0 && ex.request.promptTokens() > limit {
		e := scriptedError(ex.script, ex.request.Model)
		return &e
	}
	return nil
}

// setHeader sets the headers that Groq sends with every response.
func (ex *exchange) setHeader(requestID string) {
	const requestsPerDay, tokensPerMinute = 1000, 8000
	used := ex.request.promptTokens()
	h := ex.w.Header()
	h.Set("X-Request-Id", requestID)
	h.Set("X-Groq-Region", "fra")
	h.Set("Vary", "Origin")
	h.Set("Alt-Svc", `h3=":443"; ma=86400`)
	h.Set("Strict-Transport-Security", "max-age=15552000")
	h.Set("X-Ratelimit-Limit-Requests", strconv.Itoa(requestsPerDay))
	h.Set("X-Ratelimit-Limit-Tokens", strconv.Itoa(tokensPerMinute))
	h.Set("X-Ratelimit-Remaining-Requests", strconv.Itoa(max(1, requestsPerDay-ex.recording.record.ID)))
	h.Set("X-Ratelimit-Remaining-Tokens", strconv.Itoa(max(0, tokensPerMinute-used)))
	for name, value := range map[string][2]string{
		"X-Ratelimit-Reset-Requests": {ex.script.ResetRequests, "1h4m48s"},
		"X-Ratelimit-Reset-Tokens":   {ex.script.ResetTokens, "547ms"},
	} {
		switch value[0] {
		case "":
			h.Set(name, value[1])
		case "-":
		default:
			h.Set(name, value[0])
		}
	}
}

// page answers with a web page in place of a stream.
func (ex *exchange) page() End {
	ex.status = http.StatusOK
	ex.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, err := ex.w.Write([]byte("<!DOCTYPE html><html><head><title>Checking your browser</title></head><body>One moment.</body></html>\n"))
	return endOf(err)
}

// whole answers with the completion in one piece.
func (ex *exchange) whole(answer *completion) End {
	ex.status = http.StatusOK
	ex.recording.update(func(r *RequestRecord) { r.TokensSent = len(answer.tokens) })
	writeJSON(ex.w, ex.status, answer.body(!ex.script.NoUsage))
	return endOf(ex.r.Context().Err())
}

// hold waits at the gates and the stall that the script has after so many tokens.
func (ex *exchange) hold(tokens int) error {
	at := func(after int) bool { return max(after, -1) == tokens }
	for _, gate := range ex.script.Gates {
		if at(gate.After) {
			if err := wait(ex, gate.Name, ex.sim.gate(gate.Name)); err != nil {
				return err
			}
		}
	}
	if stall := ex.script.Stall; stall != nil && at(stall.After) {
		if stall.For <= 0 {
			return wait[struct{}](ex, "stall", nil)
		}
		timer := time.NewTimer(time.Duration(stall.For))
		defer timer.Stop()
		return wait(ex, "stall", timer.C)
	}
	return nil
}

func (ex *exchange) pause(d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ex.r.Context().Done():
		return ex.r.Context().Err()
	case <-ex.sim.closed:
		return errHeldClosed
	}
}

// cut resets the connection, so that the client sees an error and not an end.
func (ex *exchange) cut() {
	conn, _, err := http.NewResponseController(ex.w).Hijack()
	if err != nil {
		// HTTP/2 cannot give its connection away; this resets the stream.
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // Without it the end is orderly, which the client also has to take for a failure.
	}
	_ = conn.Close()
}

func endOf(err error) End {
	switch {
	case err == nil:
		return EndCompleted
	case errors.Is(err, errHeldClosed):
		return EndCut
	}
	return EndClientGone
}

// wait holds the stream until the channel is ready, and shows that in its record.
func wait[T any](ex *exchange, name string, ready <-chan T) error {
	ex.recording.update(func(r *RequestRecord) { r.HeldAt = name })
	defer ex.recording.update(func(r *RequestRecord) { r.HeldAt = "" })
	select {
	case <-ready:
		return nil
	case <-ex.r.Context().Done():
		return ex.r.Context().Err()
	case <-ex.sim.closed:
		return errHeldClosed
	}
}
