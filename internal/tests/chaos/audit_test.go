//go:build chaos && linux

package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// auditQuery counts the violations in a database in which every answer has ended and every journal entry has its
// position.
const auditQuery = `
WITH logs AS (
    SELECT r.id, r.ticket_id, r.turn_message_id, r.status, r.last_seq, r.message_id,
        count(e.seq) AS events, coalesce(max(e.seq), 0) AS newest,
        count(*) FILTER (WHERE e.kind IN ('done', 'failed')) AS ends,
        coalesce(max(e.seq) FILTER (WHERE e.kind = 'reset'), 0) AS reset,
        bool_or(e.kind IN ('done', 'failed') AND e.seq = r.last_seq) AS ends_last
    FROM ai_responses AS r
    LEFT JOIN ai_response_events AS e ON e.ai_response_id = r.id
    GROUP BY r.id
),
spoken AS (
    SELECT j.position, j.ticket_id, j.customer_id, j.actor_kind, j.data, m.author, m.is_note, m.created_at
    FROM journal AS j
    JOIN messages AS m ON m.id = j.subject_id
    WHERE j.type IN ('message.created', 'note.created')
)
SELECT json_build_object(
    'journal with a hole', (
        SELECT count(*)
        FROM journal_head AS h, (SELECT count(*) AS n, max(position) AS newest FROM journal) AS j
        WHERE h.position <> j.n OR h.position <> j.newest
    ),
    'ticket whose status is not that of its newest entry', (
        SELECT count(*)
        FROM tickets AS t
        LEFT JOIN LATERAL (
            SELECT j.data ->> 'to' AS status
            FROM journal AS j
            WHERE j.ticket_id = t.id AND j.type = 'ticket.status_changed'
            ORDER BY j.position DESC
            LIMIT 1
        ) AS newest ON true
        WHERE t.status::text <> coalesce(newest.status, 'open')
    ),
    'ticket whose messages have another order than their entries', (
        SELECT count(DISTINCT s.ticket_id)
        FROM (SELECT ticket_id, created_at, lag(created_at) OVER (PARTITION BY ticket_id ORDER BY position) AS earlier FROM spoken) AS s
        WHERE s.created_at <= s.earlier
    ),
    'message whose entry says something else', (
        SELECT count(*)
        FROM spoken AS s
        JOIN tickets AS t ON t.id = s.ticket_id
        WHERE s.data ->> 'author' IS DISTINCT FROM s.author::text OR s.actor_kind::text <> s.author::text
            OR s.customer_id IS DISTINCT FROM CASE WHEN NOT s.is_note THEN t.user_id END
    ),
    'answer whose beginning has not exactly one entry', (
        SELECT count(*)
        FROM logs AS l
        FULL JOIN (
            SELECT subject_id, count(*) AS n FROM journal WHERE type = 'ai_response.started' GROUP BY subject_id
        ) AS e ON e.subject_id = l.id
        WHERE l.id IS NULL OR e.n IS DISTINCT FROM 1
    ),
    'answer that ends before it begins, or otherwise than its entry says', (
        SELECT count(*)
        FROM logs AS l
        JOIN journal AS began ON began.subject_id = l.id AND began.type = 'ai_response.started'
        JOIN journal AS ended ON ended.subject_id = l.id AND ended.type LIKE 'ai\_response.%' AND ended.type <> 'ai_response.started'
        WHERE ended.position < began.position OR ended.type <> 'ai_response.' || l.status
    ),
    'ticket without exactly one entry', (
        SELECT count(*)
        FROM tickets AS t
        FULL JOIN (
            SELECT ticket_id, count(*) AS n FROM journal WHERE type = 'ticket.created' GROUP BY ticket_id
        ) AS e ON e.ticket_id = t.id
        WHERE t.id IS NULL OR e.n IS DISTINCT FROM 1
    ),
    'message without exactly one entry', (
        SELECT count(*)
        FROM messages AS m
        FULL JOIN (
            SELECT subject_id, count(*) AS n FROM journal WHERE type IN ('message.created', 'note.created') GROUP BY subject_id
        ) AS e ON e.subject_id = m.id
        WHERE m.id IS NULL OR e.n IS DISTINCT FROM 1
    ),
    'answer whose end has not exactly one entry', (
        SELECT count(*)
        FROM (SELECT id FROM logs WHERE status <> 'streaming') AS l
        FULL JOIN (
            SELECT subject_id, count(*) AS n
            FROM journal
            WHERE type ~ '^ai_response\.(completed|failed|cancelled|superseded|drafted)$'
            GROUP BY subject_id
        ) AS e ON e.subject_id = l.id
        WHERE l.id IS NULL OR e.n IS DISTINCT FROM 1
    ),
    'still streaming', (SELECT count(*) FROM logs WHERE status = 'streaming'),
    'log with a hole', (SELECT count(*) FROM logs WHERE events <> last_seq OR newest <> last_seq),
    'log without exactly one end, at its end', (
        SELECT count(*) FROM logs WHERE status <> 'streaming' AND (ends <> 1 OR NOT ends_last)
    ),
    'log that is not the message', (
        SELECT count(*)
        FROM logs AS l
        JOIN messages AS m ON m.id = l.message_id
        WHERE m.content <> (
            SELECT coalesce(string_agg(e.content, '' ORDER BY e.seq), '')
            FROM ai_response_events AS e
            WHERE e.ai_response_id = l.id AND e.kind = 'delta' AND e.seq > l.reset
        )
    ),
    'message of no answer', (
        SELECT count(*) FROM messages AS m
        WHERE m.author = 'ai' AND NOT EXISTS (SELECT FROM logs AS l WHERE l.message_id = m.id AND l.status = 'completed')
    ),
    'turn with more than one answer', (
        SELECT count(*) FROM (
            SELECT FROM logs WHERE status = 'completed' GROUP BY ticket_id, turn_message_id HAVING count(*) > 1
        ) AS twice
    ),
    'answer published after a reply by staff', (
        SELECT count(*)
        FROM messages AS m
        JOIN messages AS s ON s.ticket_id = m.ticket_id AND s.author = 'agent' AND s.created_at < m.created_at
        WHERE m.author = 'ai'
    )
)::text`

// audit checks the database once every answer has ended. It starts one more server: whatever failed before, that server
// must give every entry its position and return all of them.
func (c *cluster) audit() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), cleanUpTime) // The test's own context has ended.
	defer cancel()
	c.ctx = ctx
	last := new(replica)
	c.startReplica(last)
	c.eventually("every entry has its position", 10*time.Second, func() bool {
		return storetest.QueryInt(c.t, c.databases, "SELECT count(*) FROM journal_outbox") == 0
	})
	c.compareFeed(last)
	var found map[string]int
	c.query(auditQuery, &found)
	require.NotEmpty(c.t, found)
	for rule, n := range found {
		if n > 0 {
			c.violate("%d x %s", n, rule)
		}
	}
	var statuses map[string]int
	c.query(`
		SELECT coalesce(json_object_agg(status, n), '{}')::text
		FROM (SELECT status, count(*) AS n FROM ai_responses GROUP BY status) AS s`, &statuses)
	for status, n := range statuses {
		c.add("answers_"+status, n)
	}
}

// compareFeed compares all events that staff see with the journal.
func (c *cluster) compareFeed(at *replica) {
	c.t.Helper()
	var got strings.Builder
	for position, head := int64(0), int64(1); position < head; {
		page, err := c.api(at, c.agent).ListEventsWithResponse(c.ctx, &plain.ListEventsParams{After: &position})
		require.NoError(c.t, err)
		require.Equal(c.t, http.StatusOK, page.StatusCode(), "%s", page.Body)
		for _, e := range page.JSON200.Events {
			fmt.Fprintln(&got, e.Position, e.Type)
		}
		position, head = page.JSON200.Position, page.JSON200.Head
	}
	want := storetest.QueryText(c.t, c.databases, `SELECT coalesce(string_agg(position || ' ' || type || E'\n', '' ORDER BY position), '')
		FROM journal WHERE type NOT LIKE 'user.%'`)
	if got.String() != want {
		c.violate("the events are not those of the journal")
	}
	c.add("events", strings.Count(want, "\n"))
}

// countAnswers counts the answers with a status.
func (c *cluster) countAnswers(status string) int {
	c.t.Helper()
	return storetest.QueryInt(c.t, c.databases, "SELECT count(*) FROM ai_responses WHERE status = $1::text::ai_response_status", status)
}

// check compares the readers' final text with the stored message, and that with the upstream's text.
func (c *cluster) check(readers []*reader) {
	c.t.Helper()
	var stored map[string]string
	c.query(`
		SELECT coalesce(json_object_agg(ticket_id, encode(sha256(convert_to(content, 'UTF8')), 'hex')), '{}')::text
		FROM messages WHERE author = 'ai'`, &stored)
	for _, r := range readers {
		switch sum, found := stored[r.answer.ticket.String()]; {
		case r.failed != "":
			c.add("readers_failed_"+r.failed, 1)
		case r.message == nil:
			c.violate("ticket %s: a reader has no end", r.answer.ticket)
		case !found || sum != r.sum():
			c.violate("ticket %s: a reader shows %q, which is not stored", r.answer.ticket, r.text.String())
		case !slices.Contains(r.answer.texts, r.text.String()):
			c.violate("ticket %s: upstream never said %q", r.answer.ticket, r.text.String())
		default:
			c.add("readers_with_the_stored_text", 1)
		}
	}
}

// query runs a query for one JSON value.
func (c *cluster) query(sql string, into any, args ...any) {
	c.t.Helper()
	require.NoError(c.t, json.Unmarshal([]byte(storetest.QueryText(c.t, c.databases, sql, args...)), into))
}
