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
	journalRecords = 1000
	journalBytes   = 32 << 20
)

// End says how a request ended.
type End string

// The ways a request ends. EndRunning is none yet.
const (
	EndRunning    End = "running"
	EndCompleted  End = "completed"
	EndClientGone End = "client_gone"
	// EndCut is a connection that the script reset, or a body that it ended early.
	EndCut End = "cut"
	// EndError is an HTTP error, or an error in the stream.
	EndError End = "error"
)

// RequestRecord is what the journal keeps of a request for a completion.
type RequestRecord struct {
	ID     int    `json:"id"`
	Method string `json:"method"`
	Path   string `json:"path"`
	// Header has the request's headers, with the value of Authorization redacted.
	Header http.Header `json:"header"`
	// Body is the JSON that was sent; nil if it was none.
	Body json.RawMessage `json:"body,omitempty"`
	// Chat is the decoded body.
	Chat ChatRequest `json:"chat"`
	// Script is the script used, and Queued whether it came from the queue.
	Script     Script    `json:"script"`
	Queued     bool      `json:"queued"`
	StartedAt  time.Time `json:"started_at"`
	FinishedAt time.Time `json:"finished_at,omitzero"`
	// Status is the status of the response, 0 if there was none.
	Status int `json:"status"`
	// TokensSent is the number of content deltas.
	TokensSent int `json:"tokens_sent"`
	// HeldAt is the name of the gate at which the stream waits, or "stall".
	HeldAt string `json:"held_at,omitempty"`
	End    End    `json:"end"`
}

// journal keeps the last records. The zero value is ready to use.
type journal struct {
	mu      sync.Mutex
	records []*RequestRecord
	bytes   int
	lastID  int
	changed chan struct{} // closed on the next change; nil while nobody waits
}

// entry is one request's handle on its record.
type entry struct {
	journal *journal
	record  *RequestRecord
}

func (j *journal) begin(r *http.Request, body []byte) *entry {
	header := r.Header.Clone()
	if header.Get("Authorization") != "" {
		header.Set("Authorization", "[redacted]")
	}
	record := &RequestRecord{
		Method: r.Method, Path: r.URL.Path, Header: header, StartedAt: time.Now().UTC(), End: EndRunning,
	}
	if json.Valid(body) {
		record.Body = body
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lastID++
	record.ID = j.lastID
	j.records = append(j.records, record)
	j.bytes += len(record.Body)
	for len(j.records) > journalRecords || j.bytes > journalBytes {
		j.bytes -= len(j.records[0].Body)
		j.records = slices.Delete(j.records, 0, 1)
	}
	j.notifyLocked()
	return &entry{journal: j, record: record}
}

func (j *journal) clear() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.records, j.bytes = nil, 0
	j.notifyLocked()
}

func (j *journal) snapshot() []RequestRecord {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.snapshotLocked()
}

func (j *journal) snapshotLocked() []RequestRecord {
	records := make([]RequestRecord, len(j.records))
	for i, record := range j.records {
		records[i] = *record
	}
	return records
}

func (j *journal) wait(ctx context.Context, done func([]RequestRecord) bool) error {
	for {
		j.mu.Lock()
		records := j.snapshotLocked()
		if j.changed == nil {
			j.changed = make(chan struct{})
		}
		changed := j.changed
		j.mu.Unlock()
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

func (j *journal) notifyLocked() {
	if j.changed != nil {
		close(j.changed)
		j.changed = nil
	}
}

// update changes the record under the journal's lock.
func (e *entry) update(change func(*RequestRecord)) {
	e.journal.mu.Lock()
	defer e.journal.mu.Unlock()
	change(e.record)
	e.journal.notifyLocked()
}

func (e *entry) finish(status int, end End) {
	e.update(func(r *RequestRecord) {
		r.Status, r.End, r.FinishedAt, r.HeldAt = status, end, time.Now().UTC(), ""
	})
}

func (e *entry) tokens() int {
	e.journal.mu.Lock()
	defer e.journal.mu.Unlock()
	return e.record.TokensSent
}
