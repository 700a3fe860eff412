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

// modelReader is a reader of a response and all that it was given: after each event the beginning of the log.
type modelReader struct {
	of   *modelResponse
	seen []modelEvent
	// reader is nil while the reader is cut, and at is where it reads.
	reader *Reader
	at     *modelReplica
	// by is who reads.
	by auth.Actor
	// started says that the reader was given the start of its stream.
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

// modelled is an event as the log has it. That it is the one with the next number is what the reader depends on.
func (m *machine) modelled(t *rapid.T, of *modelResponse, e eventlog.Entry, seq int) modelEvent {
	require.EqualValues(t, seq, eventlog.IDOf(e.Event).Seq, "events come in their order, each once")
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
		require.False(t, of.draft, "a draft is no message")
		seen.kind = sqlc.AIEventKindDone
		require.Equal(t, id, e.ID)
		require.Equal(t, textSince(of.log), e.Message.Content, "the message is what was streamed")
		require.Equal(t, of.id, e.Response.ID)
	default:
		require.Fail(t, "an event that is in no log", "%#v", e)
	}
	return seen
}

// next reads one event that must be there. It returns false for the start of a stream.
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
	require.Less(t, len(r.seen), len(r.of.log), "what is not committed is given to nobody: %#v", entry.Event)
	seen := m.modelled(t, r.of, entry, len(r.seen)+1)
	require.Equal(t, r.of.log[len(r.seen)], seen, "a reader is given what is committed")
	r.seen = append(r.seen, seen)
	return true
}

// requireNoMore checks that a reader who has everything is given nothing else.
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

// readOn reads at most n events; of a log that was damaged, all of them.
func (m *machine) readOn(t *rapid.T, r *modelReader, n int) {
	if r.of.damaged {
		m.readAnew(t, r)
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

// skipStart reads the start of a stream that has nothing else.
func (m *machine) skipStart(t *rapid.T, r *modelReader) {
	if !r.started {
		require.False(t, m.next(t, r))
	}
}

// readAnew reads until the reader has the log, after the database has lost a part of it: what the reader was given may be
// among that, and then it is told to start over.
func (m *machine) readAnew(t *rapid.T, r *modelReader) {
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

// modelOpening is a reader who waits in Open.
type modelOpening struct {
	at     *modelReplica
	staff  bool
	cancel context.CancelFunc
	result chan modelOpened
	// of is the response that it waits for: for its first word, or, when it is to an earlier turn, for its end.
	of     *modelResponse
	forEnd bool
}

type modelOpened struct {
	reader *Reader
	err    error
}

// open is a reader who wants the answer to the turn, at any replica.
func (m *machine) open(t *rapid.T) {
	if m.opening != nil {
		t.Skip("somebody waits already")
	}
	// A turn that has just failed is not begun again by a reader: here the failure is long ago.
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

// users counts who must use the response's feed at a replica, once an owner who has lost it has found out: those who read
// there, and the owner.
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

// askAgain is what Open does when it looks what the turn is.
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

// settle follows the reader who waits in Open after something has happened.
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

// opened takes what Open returns: a reader, or the error.
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

// giveUpOpening is a client that leaves while it waits.
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

// reader draws a reader that is connected, or one that is cut.
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

// resume is a reader who comes back to any replica, by the ticket or by the response, with the last event it has.
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

// poll is a client that cannot stream and asks for what comes after an event.
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
		require.Less(t, after, len(of.log), "what is not committed is given to nobody: %#v", e)
		require.Equal(t, of.log[after], m.modelled(t, of, eventlog.Entry{Event: e}, after+1))
		after++
	}
	require.EqualValues(t, after, page.Last.Seq)
	require.Equal(t, !of.streaming() && after == len(of.log), page.Ended)
}
