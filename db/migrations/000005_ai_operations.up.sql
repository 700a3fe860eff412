BEGIN;
SET LOCAL lock_timeout = '2s';

-- Whether the AI answers in a ticket. A hand-off to humans switches it off.
CREATE TYPE ai_mode AS ENUM ('on', 'off');
ALTER TABLE tickets ADD COLUMN ai_mode ai_mode NOT NULL DEFAULT 'on';

-- Whose budget a response counts against.
ALTER TABLE ai_responses ADD COLUMN requested_by uuid;
ALTER TABLE ai_responses ADD CONSTRAINT ai_responses_requested_by_fkey FOREIGN KEY (requested_by)
    REFERENCES users (id) ON DELETE SET NULL;
CREATE INDEX ai_responses_requested_by_created_at_idx ON ai_responses (requested_by, created_at DESC);

-- An answer that was generated again stays in the history and names the message which took its place. Its response is
-- superseded, and keeps its message.
ALTER TABLE messages ADD COLUMN superseded_by uuid;
ALTER TABLE messages ADD CONSTRAINT messages_superseded_by_fkey FOREIGN KEY (superseded_by)
    REFERENCES messages (id) ON DELETE SET NULL;
ALTER TABLE messages ADD CONSTRAINT messages_superseded_by_check CHECK (superseded_by IS NULL OR author = 'ai');
CREATE INDEX messages_superseded_by_idx ON messages (superseded_by) WHERE superseded_by IS NOT NULL;

ALTER TABLE ai_responses DROP CONSTRAINT ai_responses_completed_check;
ALTER TABLE ai_responses ADD CONSTRAINT ai_responses_completed_check CHECK (
    (message_id IS NOT NULL) = (finish_reason IS NOT NULL)
    AND (status <> 'completed' OR message_id IS NOT NULL)
    AND (message_id IS NULL OR status IN ('completed', 'superseded'))
);

-- One answer to a turn stands, also while another one is being written.
DROP INDEX ai_responses_turn_key;
CREATE UNIQUE INDEX ai_responses_turn_key ON ai_responses (ticket_id, turn_message_id) NULLS NOT DISTINCT
    WHERE status = 'completed';

-- What a ticket's customer thinks of an answer.
CREATE TYPE feedback_rating AS ENUM ('up', 'down');
CREATE TABLE message_feedback (
    message_id uuid            NOT NULL,
    user_id    uuid            NOT NULL,
    rating     feedback_rating NOT NULL,
    comment    text,
    created_at timestamptz     NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz     NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT message_feedback_pkey PRIMARY KEY (message_id),
    CONSTRAINT message_feedback_message_id_fkey FOREIGN KEY (message_id) REFERENCES messages (id) ON DELETE CASCADE,
    CONSTRAINT message_feedback_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT message_feedback_comment_check CHECK (char_length(comment) BETWEEN 1 AND 2000)
);
CREATE INDEX message_feedback_user_id_idx ON message_feedback (user_id);

COMMIT;
