BEGIN;
SET LOCAL lock_timeout = '2s';

DROP TABLE message_feedback;
DROP TYPE feedback_rating;

-- The older schema knows one answer to a turn: what was replaced goes, and so does one of two that are left by a
-- regeneration which is still running.
DELETE FROM messages WHERE superseded_by IS NOT NULL;
UPDATE ai_responses AS r
SET status = 'superseded', error_code = 'superseded', finished_at = clock_timestamp()
WHERE r.status = 'streaming'
    AND EXISTS (
        SELECT
        FROM ai_responses AS c
        WHERE c.ticket_id = r.ticket_id AND c.turn_message_id IS NOT DISTINCT FROM r.turn_message_id
            AND c.status = 'completed'
    );

DROP INDEX ai_responses_turn_key;
CREATE UNIQUE INDEX ai_responses_turn_key ON ai_responses (ticket_id, turn_message_id) NULLS NOT DISTINCT
    WHERE status IN ('streaming', 'completed');
ALTER TABLE ai_responses DROP CONSTRAINT ai_responses_completed_check;
ALTER TABLE ai_responses ADD CONSTRAINT ai_responses_completed_check CHECK (
    (status = 'completed') = (message_id IS NOT NULL) AND (status = 'completed') = (finish_reason IS NOT NULL)
);

ALTER TABLE messages DROP COLUMN superseded_by;
ALTER TABLE ai_responses DROP COLUMN requested_by;
ALTER TABLE tickets DROP COLUMN ai_mode;
DROP TYPE ai_mode;

COMMIT;
