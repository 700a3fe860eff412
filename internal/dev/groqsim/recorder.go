package groqsim

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	maxRecords       = 1000
	maxRecordedBytes = 32 << 20
)

// End says how a request ended.
type End string

// The ways in which a request ends. EndRunning means that it has not ended yet.
const (
	EndRunning    End = "running"
	EndCompleted  End = "completed"
	EndClientGone End = "client_gone"
	// EndCut is a connection that the script reset, or a body that it ended early.
	EndCut End = "cut"
	// EndError is an HTTP error, or an error in the stream.
	EndError End = "error"
)

// RequestRecord is what the simulator keeps of a request for a completion.
type RequestRecord struct {
	ID     int    `json:"id"`
	Method string `json:"method"`
	Path   string `json:"path"`
	// Header has the request's headers, with the value of Authorization redacted.
	Header http.Header `json:"header"`
	// Body is the JSON that was sent; nil if it was not JSON.
	Body json.RawMessage `json:"body,omitempty"`
	// Chat is the decoded body.
	Chat ChatRequest `json:"chat"`
	// Script is the script used, and Queued whether it came from the queue.
	Script     Script    `json:"script"`
	Queued     bool      `json:"queued"`
	StartedAt  time.Time `json:"started_at"`
	FinishedAt time.Time `json:"finished_at,omitzero"`
	// Status is the status of the response, 0 without one.
	Status int `json:"status"`
	// TokensSent is the number of content deltas.
	TokensSent int `json:"tokens_sent"`
	// HeldAt is the name of the gate at which the stream waits, or "stall".
	HeldAt string `json:"held_at,omitempty"`
	End    End    `json:"end"`
}

// recorder keeps the last records. The zero value is ready to use.
type recorder struct {
	mu      sync.Mutex
	records []*RequestRecord
	bytes   int
	lastID  int
	changed chan struct{} // closed on the next change; nil while nobody waits
}

// recording is one request's handle on its record.
type recording struct {
	recorder *recorder
	record   *RequestRecord
}

func (r *recorder) begin(request *http.Request, body []byte) *recording {
	header := request.Header.Clone()
	if header.Get("Authorization") != "" {
		header.Set("Authorization", "[redacted]")
	}
	record := &RequestRecord{
		Method: request.Method, Path: request.URL.Path, Header: header, StartedAt: time.Now().UTC(), End: EndRunning,
	}
	if json.Valid(body) {
		record.Body = body
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lastID++
	record.ID = r.lastID
	r.records = append(r.records, record)
	r.bytes += len(record.Body)
	for len(r.records) > maxRecords || r.bytes > maxRecordedBytes {
		r.bytes -= len(r.records[0].Body)
		r.records = slices.Delete(r.records, 0, 1)
	}
	r.notifyLocked()
	return &recording{recorder: r, record: record}
}

func (r *recorder) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records, r.bytes = nil, 0
	r.notifyLocked()
}

func (r *recorder) snapshot() []RequestRecord {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.snapshotLocked()
}

func (r *recorder) snapshotLocked() []RequestRecord {
	records := make([]RequestRecord, len(r.records))
	for i, record := range r.records {
		records[i] = *record
	}
	return records
}

func (r *recorder) wait(ctx context.Context, done func([]RequestRecord) bool) error {
	for {
		r.mu.Lock()
		records := r.snapshotLocked()
		if r.changed == nil {
			r.changed = make(chan struct{})
		}
		changed := r.changed
		r.mu.Unlock()
		if done(records) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (r *recorder) notifyLocked() {
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// update changes the record under the recorder's lock.
func (r *recording) update(change func(*RequestRecord)) {
	r.recorder.mu.Lock()
	defer r.recorder.mu.Unlock()
	change(r.record)
	r.recorder.notifyLocked()
}

func (r *recording) finish(status int, end End) {
	r.update(func(record *RequestRecord) {
		record.Status, record.End, record.FinishedAt, record.HeldAt = status, end, time.Now().UTC(), ""
	})
}

func (r *recording) tokens() int {
	r.recorder.mu.Lock()
	defer r.recorder.mu.Unlock()
	return r.record.TokensSent
}
