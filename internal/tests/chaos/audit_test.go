//go:build chaos && linux

package chaos

import (
	"encoding/json"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/testing/storetest"
)

// auditQuery counts what must not be in a database in which every answer has ended.
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
entries AS (
    SELECT e.type, e.ticket_id, e.subject_id
    FROM (
        SELECT j.type, j.ticket_id, j.subject_id FROM journal AS j
        UNION ALL
        SELECT o.type, o.ticket_id, o.subject_id FROM journal_outbox AS o
    ) AS e
)
SELECT json_build_object(
    'journal with a hole', (SELECT count(*) FROM journal_head WHERE position <> (SELECT count(*) FROM journal)),
    'ticket without exactly one entry', (
        SELECT count(*)
        FROM tickets AS t
        FULL JOIN (
            SELECT ticket_id, count(*) AS n FROM entries WHERE type = 'ticket.created' GROUP BY ticket_id
        ) AS e ON e.ticket_id = t.id
        WHERE t.id IS NULL OR e.n IS DISTINCT FROM 1
    ),
    'message without exactly one entry', (
        SELECT count(*)
        FROM messages AS m
        FULL JOIN (
            SELECT subject_id, count(*) AS n FROM entries WHERE type IN ('message.created', 'note.created') GROUP BY subject_id
        ) AS e ON e.subject_id = m.id
        WHERE m.id IS NULL OR e.n IS DISTINCT FROM 1
    ),
    'answer whose end has not exactly one entry', (
        SELECT count(*)
        FROM (SELECT id FROM logs WHERE status <> 'streaming') AS l
        FULL JOIN (
            SELECT subject_id, count(*) AS n
            FROM entries
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

// audit checks the database against the rules, once every answer has ended.
func (c *cluster) audit() {
	c.t.Helper()
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

// check compares what the readers show at the end with what is stored, and that with what upstream has said.
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
