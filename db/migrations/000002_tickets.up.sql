BEGIN;
SET LOCAL lock_timeout = '2s';

CREATE TYPE ticket_status AS ENUM ('open', 'pending', 'resolved', 'closed');

CREATE TABLE tickets (
    id          uuid          NOT NULL,
    user_id     uuid          NOT NULL,
    title       text          NOT NULL,
    description text          NOT NULL,
    status      ticket_status NOT NULL DEFAULT 'open',
    created_at  timestamptz   NOT NULL DEFAULT now(),
    updated_at  timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT tickets_pkey PRIMARY KEY (id),
    CONSTRAINT tickets_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT tickets_title_check CHECK (char_length(title) BETWEEN 1 AND 200),
    CONSTRAINT tickets_description_check CHECK (char_length(description) BETWEEN 1 AND 10000)
);

-- The customer's list and the staff's list, each in its own order.
CREATE INDEX tickets_user_id_created_at_id_idx ON tickets (user_id, created_at DESC, id DESC);
CREATE INDEX tickets_created_at_id_idx ON tickets (created_at DESC, id DESC);

-- One row for every accepted change of a ticket's status.
CREATE TABLE ticket_status_changes (
    id          uuid          NOT NULL,
    ticket_id   uuid          NOT NULL,
    actor_id    uuid          NOT NULL,
    from_status ticket_status NOT NULL,
    to_status   ticket_status NOT NULL,
    created_at  timestamptz   NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT ticket_status_changes_pkey PRIMARY KEY (id),
    CONSTRAINT ticket_status_changes_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES tickets (id) ON DELETE CASCADE,
    CONSTRAINT ticket_status_changes_actor_id_fkey FOREIGN KEY (actor_id) REFERENCES users (id),
    CONSTRAINT ticket_status_changes_check CHECK (from_status <> to_status)
);

CREATE INDEX ticket_status_changes_ticket_id_created_at_id_idx ON ticket_status_changes (ticket_id, created_at, id);
CREATE INDEX ticket_status_changes_actor_id_idx ON ticket_status_changes (actor_id);

CREATE TYPE message_author AS ENUM ('customer', 'staff', 'ai');

-- created_at is the order of a ticket's conversation: messages are inserted under a lock on the ticket's row,
-- each later than the one before, so that a reader of pages never finds one in front of where it already is.
CREATE TABLE messages (
    id         uuid           NOT NULL,
    ticket_id  uuid           NOT NULL,
    author     message_author NOT NULL,
    author_id  uuid,
    content    text           NOT NULL,
    created_at timestamptz    NOT NULL,
    CONSTRAINT messages_pkey PRIMARY KEY (id),
    CONSTRAINT messages_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES tickets (id) ON DELETE CASCADE,
    CONSTRAINT messages_author_id_fkey FOREIGN KEY (author_id) REFERENCES users (id),
    CONSTRAINT messages_author_check CHECK ((author = 'ai') = (author_id IS NULL)),
    CONSTRAINT messages_content_check CHECK (
        char_length(content) >= 1
        AND CASE author WHEN 'ai' THEN octet_length(content) <= 65536 ELSE char_length(content) <= 8000 END
    )
);

CREATE UNIQUE INDEX messages_ticket_id_created_at_key ON messages (ticket_id, created_at);
CREATE INDEX messages_author_id_idx ON messages (author_id);

COMMIT;
