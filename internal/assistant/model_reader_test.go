package assistant

import (
	"context"
	"io"
	"slices"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant/eventlog"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// modelReader is a reader of a response with the events that it got: at any time a beginning of the log.
type modelReader struct {
	of   *modelResponse
	seen []modelEvent
	// reader is nil while the reader is disconnected; at is the replica where it reads.
	reader *Reader
	at     *modelReplica
	// by is the reader's actor.
	by auth.Actor
	// started is true after the stream's start event.
	started bool
}

func (r *modelReader) last() eventlog.EventID {
	last := eventlog.EventID{ResponseID: r.of.id, Seq: int64(len(r.seen))}
	if len(r.seen) > 0 {
		last.Attempt = r.seen[len(r.seen)-1].attempt
	}
	return last
}

func (r *modelReader) hasEnd() bool {
	return len(r.seen) > 0 && r.seen[len(r.seen)-1].isEnd()
}

func (r *modelReader) cut() {
	if r.reader != nil {
		r.reader.Close()
	}
	r.reader, r.at, r.started = nil, nil, false
}

// modelled converts an event to the model's form, and checks that its number is the next one.
func (m *machine) modelled(t *rapid.T, of *modelResponse, e eventlog.Entry, seq int) modelEvent {
	require.EqualValues(t, seq, eventlog.IDOf(e.Event).Seq, "events come in order, each once")
	seen := modelEvent{attempt: eventlog.IDOf(e.Event).Attempt}
	id := eventlog.EventID{ResponseID: of.id, Seq: int64(seq), Attempt: seen.attempt}
	switch e := e.Event.(type) {
	case eventlog.Delta:
		seen.kind, seen.content = sqlc.AIEventKindDelta, e.Content
		require.Equal(t, id, e.ID)
	case eventlog.Reset:
		seen.kind = sqlc.AIEventKindReset
		require.Equal(t, id, e.ID)
		require.Equal(t, seen.attempt, e.Attempt)
	case eventlog.Failed:
		seen.kind, seen.content = sqlc.AIEventKindFailed, string(e.Err.Code)
		require.Equal(t, id, e.ID)
	case eventlog.Ready:
		seen.kind = sqlc.AIEventKindDone
		require.True(t, of.draft, "a text for staff")
		require.Equal(t, id, e.ID)
		require.Equal(t, textSince(of.log), *e.Response.Content, "the draft is what was streamed")
		require.Equal(t, of.id, e.Response.ID)
	case eventlog.Done:
		require.False(t, of.draft, "a draft is not a message")
		seen.kind = sqlc.AIEventKindDone
		require.Equal(t, id, e.ID)
		require.Equal(t, textSince(of.log), e.Message.Content, "the message is what was streamed")
		require.Equal(t, of.id, e.Response.ID)
	default:
		require.Fail(t, "an event that is in no log", "%#v", e)
	}
	return seen
}

// next reads one event that must exist. It returns false for the start of a stream.
func (m *machine) next(t *rapid.T, r *modelReader) bool {
	ctx, cancel := context.WithTimeout(m.t.Context(), modelPatience)
	defer cancel()
	entry, err := r.reader.Next(ctx)
	require.NoError(t, err, "event %d of %d", len(r.seen)+1, len(r.of.log))
	if start, ok := entry.Event.(eventlog.Start); ok {
		require.Equal(t, r.of.id, start.Response.ID)
		r.started = true
		return false
	}
	require.Less(t, len(r.seen), len(r.of.log), "readers get only committed events: %#v", entry.Event)
	seen := m.modelled(t, r.of, entry, len(r.seen)+1)
	require.Equal(t, r.of.log[len(r.seen)], seen, "the reader's event differs from the log")
	r.seen = append(r.seen, seen)
	return true
}

// requireNoMore checks that a reader with all events gets no other.
func (m *machine) requireNoMore(t *rapid.T, r *modelReader) {
	now, cancel := context.WithCancel(m.t.Context())
	cancel()
	entry, err := r.reader.Next(now)
	if r.of.streaming() {
		require.ErrorIs(t, err, context.Canceled, "%#v", entry.Event)
		return
	}
	require.ErrorIs(t, err, io.EOF, "%#v", entry.Event)
}

// readOn reads at most n events, or all of them if the log was damaged.
func (m *machine) readOn(t *rapid.T, r *modelReader, n int) {
	if r.of.damaged {
		m.readAgain(t, r)
		return
	}
	for n > 0 && len(r.seen) < len(r.of.log) {
		if m.next(t, r) {
			n--
		}
	}
	if len(r.seen) == len(r.of.log) && n > 0 {
		m.skipStart(t, r)
		m.requireNoMore(t, r)
	}
}

// skipStart reads the start event of a stream that has no other event.
func (m *machine) skipStart(t *rapid.T, r *modelReader) {
	if !r.started {
		require.False(t, m.next(t, r))
	}
}

// readAgain reads until the reader has the whole log, after the database has lost a part of it. If the reader has lost
// events, it is told to start over.
func (m *machine) readAgain(t *rapid.T, r *modelReader) {
	ctx, cancel := context.WithTimeout(m.t.Context(), modelPatience)
	defer cancel()
	for !slices.Equal(r.seen, r.of.log) {
		entry, err := r.reader.Next(ctx)
		require.NoError(t, err, "has %v of %v", r.seen, r.of.log)
		switch {
		case eventlog.IDOf(entry.Event).Seq > 0:
			r.seen = append(r.seen, m.modelled(t, r.of, entry, len(r.seen)+1))
		default:
			r.started = true
			if _, over := entry.Event.(eventlog.Reset); over {
				r.seen = nil
			}
		}
	}
	m.skipStart(t, r)
	m.requireNoMore(t, r)
}

// modelOpening is a reader that waits in Open.
type modelOpening struct {
	at     *modelReplica
	staff  bool
	cancel context.CancelFunc
	result chan modelOpened
	// of is the response that it waits for: for its first word or, if it answers an earlier turn, for its end.
	of     *modelResponse
	forEnd bool
}

type modelOpened struct {
	reader *Reader
	err    error
}

// open opens a reader of the turn's answer, at any replica.
func (m *machine) open(t *rapid.T) {
	if m.opening != nil {
		t.Skip("somebody waits already")
	}
	// A reader does not restart a turn that has just failed, so move the failure into the past.
	storetest.Exec(m.t, m.url, "UPDATE ai_responses SET finished_at = finished_at - interval '1 minute' WHERE status = 'failed'")
	at, staff := m.replica(t), rapid.Bool().Draw(t, "staff")
	of, _ := m.model.ask(modelAsk{staff: staff, reading: true})
	ctx, cancel := context.WithTimeout(m.t.Context(), 2*modelPatience)
	o := &modelOpening{at: at, staff: staff, cancel: cancel, result: make(chan modelOpened, 1)}
	go func() {
		reader, err := at.Open(ctx, m.actor(staff), m.ticketID, eventlog.EventID{})
		o.result <- modelOpened{reader, err}
	}()
	m.opening = o
	m.askAgain(t)
	if m.opening != nil && o.of == of {
		m.until(t, "the reader waits", func() bool { return at.hub.Users(of.id) == m.users(t, of, at)+1 })
	}
}

// users counts the users of the response's feed at a replica: its readers there, and the owner if it still owns the
// response.
func (m *machine) users(t *rapid.T, of *modelResponse, at *modelReplica) (n int) {
	for _, r := range m.readers {
		if r.of == of && r.at == at {
			n++
		}
	}
	if m.isOwner(t, of, at) {
		n++
	}
	return n
}

// askAgain models how Open reads the turn.
func (m *machine) askAgain(t *rapid.T) {
	o := m.opening
	of, verdict := m.model.ask(modelAsk{staff: o.staff, reading: true})
	if verdict == begins {
		of = m.began(t)
	}
	switch {
	case of == nil:
		m.opened(t, verdict)
	case of.draft && !o.staff:
		m.opened(t, of.hidden())
	default:
		o.of, o.forEnd = of, verdict == waits
		if verdict == joins {
			m.settle(t)
		}
	}
}

// settle updates the reader that waits in Open after a step.
func (m *machine) settle(t *rapid.T) {
	o := m.opening
	switch {
	case o == nil, o.forEnd && o.of.streaming(), !o.forEnd && len(o.of.log) == 0:
	case o.forEnd:
		m.askAgain(t)
	case o.of.log[0].kind != sqlc.AIEventKindFailed:
		m.opened(t, "")
	case o.of.log[0].content == string(apperr.Superseded):
		m.askAgain(t)
	default:
		m.opened(t, apperr.Code(o.of.log[0].content))
	}
}

// opened handles the result of Open: a reader or an error.
func (m *machine) opened(t *rapid.T, code apperr.Code) {
	o := m.opening
	m.opening = nil
	defer o.cancel()
	opened := <-o.result
	if code != "" {
		require.True(t, apperr.Is(opened.err, code), "%s: %v", code, opened.err)
		return
	}
	require.NoError(t, opened.err)
	m.readers = append(m.readers, &modelReader{of: o.of, reader: opened.reader, at: o.at, by: m.actor(o.staff)})
}

// giveUpOpening makes the waiting client leave.
func (m *machine) giveUpOpening() {
	if m.opening == nil {
		return
	}
	m.opening.cancel()
	if opened := <-m.opening.result; opened.reader != nil {
		opened.reader.Close()
	}
	m.opening = nil
}

// reader draws a connected or a disconnected reader.
func (m *machine) reader(t *rapid.T, connected bool) *modelReader {
	var readers []*modelReader
	for _, r := range m.readers {
		if (r.reader != nil) == connected {
			readers = append(readers, r)
		}
	}
	if len(readers) == 0 {
		t.Skip("there is no such reader")
	}
	return readers[rapid.IntRange(0, len(readers)-1).Draw(t, "reader")]
}

func (m *machine) read(t *rapid.T) {
	r := m.reader(t, true)
	m.readOn(t, r, rapid.IntRange(1, 5).Draw(t, "events"))
}

func (m *machine) cut(t *rapid.T) { m.reader(t, true).cut() }

// resume reconnects a reader to any replica, by the ticket or by the response, with its last event.
func (m *machine) resume(t *rapid.T) {
	m.resumeAt(t, m.reader(t, false), m.replica(t), rapid.Bool().Draw(t, "by ticket"))
}

func (m *machine) resumeAt(t *rapid.T, r *modelReader, at *modelReplica, byTicket bool) {
	ctx, cancel := context.WithTimeout(m.t.Context(), modelPatience)
	defer cancel()
	var reader *Reader
	var err error
	if byTicket && len(r.seen) > 0 {
		reader, err = at.Open(ctx, r.by, m.ticketID, r.last())
	} else {
		reader, err = at.OpenResponse(ctx, r.by, r.of.id, r.last())
	}
	if r.hasEnd() {
		require.ErrorIs(t, err, eventlog.ErrUpToDate)
		return
	}
	require.NoError(t, err)
	r.reader, r.at = reader, at
}

// poll polls the events after one, as a client without streams does.
func (m *machine) poll(t *rapid.T) {
	if len(m.model.responses) == 0 {
		t.Skip("there is no response")
	}
	of := m.model.responses[rapid.IntRange(0, len(m.model.responses)-1).Draw(t, "response")]
	if of.damaged {
		t.Skip("the client may be told to start over")
	}
	after := rapid.IntRange(0, len(of.log)).Draw(t, "after")
	wait := modelPatience
	if after == len(of.log) {
		wait = 0
	}
	page, err := m.replica(t).Events(m.t.Context(), m.viewer(t, of), eventlog.EventID{ResponseID: of.id, Seq: int64(after)}, wait)
	require.NoError(t, err)
	require.True(t, len(page.Events) > 0 || after == len(of.log), "there is more")
	for _, e := range page.Events {
		require.Less(t, after, len(of.log), "readers get only committed events: %#v", e)
		require.Equal(t, of.log[after], m.modelled(t, of, eventlog.Entry{Event: e}, after+1))
		after++
	}
	require.EqualValues(t, after, page.Last.Seq)
	require.Equal(t, !of.streaming() && after == len(of.log), page.Ended)
}
