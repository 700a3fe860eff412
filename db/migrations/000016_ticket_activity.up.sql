BEGIN;
SET LOCAL lock_timeout = '2s';

-- When the conversation last grew: by its newest message, or by the ticket itself.
ALTER TABLE tickets ADD COLUMN last_message_at timestamptz NOT NULL DEFAULT now();
UPDATE tickets AS t
SET last_message_at = COALESCE((SELECT max(m.created_at) FROM messages AS m WHERE m.ticket_id = t.id), t.created_at);

COMMIT;
