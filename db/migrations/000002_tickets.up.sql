BEGIN;
SET LOCAL lock_timeout = '2s';

CREATE TYPE ticket_status AS ENUM ('open', 'pending', 'resolved', 'closed');

-- Whether customers receive the AI's answers in a ticket, staff review them first, or there are none.
CREATE TYPE ai_mode AS ENUM ('auto', 'draft', 'off');

-- In the order in which staff work on tickets.
CREATE TYPE ticket_priority AS ENUM ('urgent', 'high', 'normal', 'low');

-- Why a ticket was handed off to humans.
CREATE TYPE handoff_reason AS ENUM ('wants_human', 'wrong_answer', 'cannot_answer', 'sensitive', 'other');

-- The row of a deleted team stays until the sweep has removed the team from all its tickets, in batches.
CREATE TABLE teams (
    id         uuid        NOT NULL,
    name       text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    version    bigint      NOT NULL DEFAULT 1,
    deleted_at timestamptz,
    CONSTRAINT teams_pkey PRIMARY KEY (id),
    CONSTRAINT teams_name_check CHECK (char_length(name) BETWEEN 1 AND 100),
    CONSTRAINT teams_version_check CHECK (version >= 1)
);

CREATE INDEX teams_created_at_id_idx ON teams (created_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX teams_deleted_at_idx ON teams (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE team_members (
    team_id uuid NOT NULL,
    user_id uuid NOT NULL,
    CONSTRAINT team_members_pkey PRIMARY KEY (team_id, user_id),
    CONSTRAINT team_members_team_id_fkey FOREIGN KEY (team_id) REFERENCES teams (id) ON DELETE CASCADE,
    CONSTRAINT team_members_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);

CREATE INDEX team_members_user_id_idx ON team_members (user_id);

-- Every change of what customers see in a ticket, including its messages, raises version. Every change of its notes,
-- which only staff see, raises note_version. last_message_at is the time of the newest message, or of the ticket
-- itself. service_id is the service that opened the ticket, and external_id is the ticket's id in that service, or, for
-- other tickets, an id that staff set. first_response_at is when the customer could first read a reply, from staff or
-- from the AI. waiting_since is when the customer began to wait for a human reply: an AI answer does not end the wait.
-- A ticket that is resolved or closed has none. resolved_at is when a resolved or closed ticket was resolved. A ticket that was merged
-- into another one stays closed.
--
-- ai_mode_before is set when the customer turned the AI off: the mode that they may restore. handoff_reason is set
-- while the ticket is handed off, which lasts until staff turn the AI on again. handoff_note is for staff. Redacting a
-- ticket removes its title, description and handoff_note, and every copy of them.
CREATE TABLE tickets (
    id                uuid            NOT NULL,
    user_id           uuid            NOT NULL,
    title             text            NOT NULL,
    description       text            NOT NULL,
    status            ticket_status   NOT NULL DEFAULT 'open',
    created_at        timestamptz     NOT NULL DEFAULT now(),
    updated_at        timestamptz     NOT NULL DEFAULT now(),
    ai_mode           ai_mode         NOT NULL DEFAULT 'auto',
    version           bigint          NOT NULL DEFAULT 1,
    last_message_at   timestamptz     NOT NULL DEFAULT now(),
    priority          ticket_priority NOT NULL DEFAULT 'normal',
    assignee_id       uuid,
    team_id           uuid,
    tags              text[]          NOT NULL DEFAULT '{}',
    custom_fields     jsonb           NOT NULL DEFAULT '{}',
    service_id        uuid,
    external_id       text,
    snoozed_until     timestamptz,
    first_response_at timestamptz,
    waiting_since     timestamptz     DEFAULT now(),
    resolved_at       timestamptz,
    merged_into       uuid,
    ai_mode_before    ai_mode,
    handoff_reason    handoff_reason,
    handoff_note      text,
    handed_off_by     uuid,
    handed_off_at     timestamptz,
    note_version      bigint          NOT NULL DEFAULT 0,
    redacted_at       timestamptz,
    CONSTRAINT tickets_pkey PRIMARY KEY (id),
    CONSTRAINT tickets_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT tickets_assignee_id_fkey FOREIGN KEY (assignee_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT tickets_team_id_fkey FOREIGN KEY (team_id) REFERENCES teams (id),
    CONSTRAINT tickets_service_id_fkey FOREIGN KEY (service_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT tickets_merged_into_fkey FOREIGN KEY (merged_into) REFERENCES tickets (id) ON DELETE SET NULL,
    CONSTRAINT tickets_handed_off_by_fkey FOREIGN KEY (handed_off_by) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT tickets_version_check CHECK (version >= 1)
);

-- The rules that every ticket satisfies. Like a CHECK, a rule whose columns are NULL holds. PostgreSQL prepares CHECKs for every
-- statement and evaluates them for every new version of a row, which costs as much as the rest of a small update. So each
-- table that is written often has one function instead, which is planned once a session. Tickets and AI responses are
-- updated often, mostly in columns without rules: a constraint trigger checks them only when a statement sets a column
-- that has rules. It does not check existing rows: a migration that changes a rule must.
CREATE FUNCTION check_ticket() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT (
        char_length(NEW.title) BETWEEN 1 AND 200
        AND char_length(NEW.description) BETWEEN 1 AND 10000
        AND char_length(NEW.handoff_note) BETWEEN 1 AND 2000
        AND NEW.external_id COLLATE "C" ~ '^[!-~]{1,128}$'
        AND cardinality(NEW.tags) <= 20 AND char_length(array_to_string(NEW.tags, '')) <= 1000
        AND jsonb_typeof(NEW.custom_fields) = 'object' AND octet_length(NEW.custom_fields::text) <= 65536
        AND (NEW.redacted_at IS NULL OR (NEW.title = '[redacted]' AND NEW.description = '[redacted]'))
        AND (NEW.ai_mode_before IS NULL OR (NEW.ai_mode = 'off' AND NEW.ai_mode_before <> 'off'))
        AND (NEW.handoff_reason IS NULL OR NEW.ai_mode = 'off')
        AND (NEW.handoff_reason IS NULL) = (NEW.handed_off_at IS NULL)
        AND (NEW.resolved_at IS NOT NULL) = (NEW.status IN ('resolved', 'closed'))
        AND (NEW.snoozed_until IS NULL OR (NEW.snoozed_until < '10000-01-01T00:00:00Z' AND NEW.status IN ('open', 'pending')))
        AND (NEW.merged_into IS NULL OR (NEW.status = 'closed' AND NEW.merged_into <> NEW.id))
    ) THEN
        RAISE check_violation USING MESSAGE = 'a ticket breaks a rule', TABLE = 'tickets', CONSTRAINT = 'tickets_check';
    END IF;
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER tickets_check AFTER INSERT OR UPDATE OF
    id, title, description, handoff_note, external_id, tags, custom_fields, redacted_at, ai_mode, ai_mode_before, handoff_reason,
    handed_off_at, resolved_at, status, snoozed_until, merged_into
    ON tickets FOR EACH ROW EXECUTE FUNCTION check_ticket();

-- For the lists of customers and staff, each in its own order.
CREATE INDEX tickets_user_id_created_at_id_idx ON tickets (user_id, created_at DESC, id DESC);
CREATE INDEX tickets_created_at_id_idx ON tickets (created_at DESC, id DESC);
CREATE INDEX tickets_status_created_at_id_idx ON tickets (status, created_at DESC, id DESC);
CREATE INDEX tickets_assignee_id_created_at_id_idx ON tickets (assignee_id, created_at DESC, id DESC) WHERE assignee_id IS NOT NULL;
CREATE INDEX tickets_team_id_created_at_id_idx ON tickets (team_id, created_at DESC, id DESC) WHERE team_id IS NOT NULL;

-- For unresolved tickets. The counts use these indexes too, and leave out snoozed tickets.
CREATE INDEX tickets_unresolved_idx ON tickets (created_at DESC, id DESC) INCLUDE (snoozed_until)
    WHERE status IN ('open', 'pending');
CREATE INDEX tickets_unassigned_idx ON tickets (created_at DESC, id DESC) INCLUDE (snoozed_until)
    WHERE status IN ('open', 'pending') AND assignee_id IS NULL;
CREATE INDEX tickets_priority_idx ON tickets (priority, created_at, id) WHERE status IN ('open', 'pending');
CREATE INDEX tickets_assignee_id_priority_idx ON tickets (assignee_id, priority, created_at, id) INCLUDE (snoozed_until)
    WHERE status IN ('open', 'pending') AND assignee_id IS NOT NULL;
CREATE INDEX tickets_team_id_priority_idx ON tickets (team_id, priority, created_at, id)
    WHERE status IN ('open', 'pending') AND team_id IS NOT NULL;
CREATE INDEX tickets_waiting_since_idx ON tickets (waiting_since, id) WHERE waiting_since IS NOT NULL;
CREATE INDEX tickets_assignee_id_waiting_since_idx ON tickets (assignee_id, waiting_since, id)
    WHERE waiting_since IS NOT NULL AND assignee_id IS NOT NULL;
CREATE INDEX tickets_team_id_waiting_since_idx ON tickets (team_id, waiting_since, id)
    WHERE waiting_since IS NOT NULL AND team_id IS NOT NULL;
CREATE INDEX tickets_snoozed_until_idx ON tickets (snoozed_until, id) WHERE snoozed_until IS NOT NULL;
CREATE INDEX tickets_snoozed_idx ON tickets (created_at DESC, id DESC) WHERE snoozed_until IS NOT NULL;
CREATE INDEX tickets_snoozed_waiting_since_idx ON tickets (waiting_since, id)
    WHERE snoozed_until IS NOT NULL AND waiting_since IS NOT NULL;
CREATE INDEX tickets_snoozed_priority_idx ON tickets (priority, created_at, id)
    WHERE snoozed_until IS NOT NULL AND status IN ('open', 'pending');
CREATE INDEX tickets_handed_off_idx ON tickets (created_at DESC, id DESC) WHERE handoff_reason IS NOT NULL;
CREATE INDEX tickets_handed_off_waiting_since_idx ON tickets (waiting_since, id)
    WHERE handoff_reason IS NOT NULL AND waiting_since IS NOT NULL;
CREATE INDEX tickets_handed_off_priority_idx ON tickets (priority, created_at, id)
    WHERE handoff_reason IS NOT NULL AND status IN ('open', 'pending');

-- External ids are unique per service, and among the tickets that no service opened.
CREATE UNIQUE INDEX tickets_service_id_external_id_key ON tickets (service_id, external_id) NULLS NOT DISTINCT
    WHERE external_id IS NOT NULL;
CREATE INDEX tickets_external_id_idx ON tickets (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX tickets_merged_into_idx ON tickets (merged_into) WHERE merged_into IS NOT NULL;

-- One row per tag of a ticket, to list the tickets of a tag in order. A trigger maintains it.
CREATE TABLE ticket_tags (
    tag        text        NOT NULL,
    created_at timestamptz NOT NULL,
    ticket_id  uuid        NOT NULL,
    CONSTRAINT ticket_tags_pkey PRIMARY KEY (tag, created_at, ticket_id),
    CONSTRAINT ticket_tags_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES tickets (id) ON DELETE CASCADE
);

CREATE INDEX ticket_tags_ticket_id_idx ON ticket_tags (ticket_id);

CREATE FUNCTION keep_ticket_tags() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM ticket_tags WHERE ticket_id = NEW.id AND NOT tag = ANY (NEW.tags);
    INSERT INTO ticket_tags (tag, created_at, ticket_id)
    SELECT DISTINCT unnest(NEW.tags), NEW.created_at, NEW.id
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;

CREATE TRIGGER tickets_tags_inserted AFTER INSERT ON tickets
    FOR EACH ROW WHEN (NEW.tags <> '{}') EXECUTE FUNCTION keep_ticket_tags();
CREATE TRIGGER tickets_tags_updated AFTER UPDATE OF tags ON tickets
    FOR EACH ROW WHEN (NEW.tags <> OLD.tags) EXECUTE FUNCTION keep_ticket_tags();

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

CREATE TYPE message_author AS ENUM ('customer', 'agent', 'ai', 'system');

-- The API accepts 8,000 characters from people; a message that was the description of a merged ticket may have 10,000.
-- created_at is the order of the conversation: messages are inserted under the lock of the ticket's row, each later
-- than the one before, so that none ever appears before the position of a reader of pages. When an answer is generated
-- again, the old message stays in the history, and superseded_by names its replacement. client_id is the chat client's
-- id of the message: a message that the client sends again is not added again. Only staff see notes. Redacting a
-- message replaces its text by [redacted], and removes every copy.
CREATE TABLE messages (
    id            uuid           NOT NULL,
    ticket_id     uuid           NOT NULL,
    author        message_author NOT NULL,
    author_id     uuid,
    content       text           NOT NULL,
    created_at    timestamptz    NOT NULL,
    superseded_by uuid,
    client_id     text,
    is_note       boolean        NOT NULL DEFAULT false,
    redacted_at   timestamptz,
    CONSTRAINT messages_pkey PRIMARY KEY (id),
    CONSTRAINT messages_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES tickets (id) ON DELETE CASCADE,
    CONSTRAINT messages_author_id_fkey FOREIGN KEY (author_id) REFERENCES users (id),
    CONSTRAINT messages_superseded_by_fkey FOREIGN KEY (superseded_by) REFERENCES messages (id) ON DELETE SET NULL
);

-- The rules that every message satisfies; see check_ticket.
CREATE FUNCTION is_valid_message(m messages) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN char_length(m.content) >= 1
        AND CASE m.author WHEN 'ai' THEN octet_length(m.content) <= 65536 ELSE char_length(m.content) <= 10000 END
        AND m.client_id COLLATE "C" ~ '^[!-~]{1,255}$'
        AND (m.author IN ('ai', 'system')) = (m.author_id IS NULL)
        AND (NOT m.is_note OR m.author = 'agent')
        AND (m.superseded_by IS NULL OR m.author = 'ai')
        AND (m.redacted_at IS NULL OR m.content = '[redacted]');
END
$$;

ALTER TABLE messages ADD CONSTRAINT messages_check CHECK (is_valid_message(messages));

CREATE UNIQUE INDEX messages_ticket_id_created_at_key ON messages (ticket_id, created_at);
CREATE UNIQUE INDEX messages_ticket_id_client_id_key ON messages (ticket_id, client_id) WHERE client_id IS NOT NULL;
CREATE INDEX messages_author_id_idx ON messages (author_id);
CREATE INDEX messages_superseded_by_idx ON messages (superseded_by) WHERE superseded_by IS NOT NULL;

-- For the newest message of an author in a ticket.
CREATE INDEX messages_ticket_id_author_created_at_idx ON messages (ticket_id, author, created_at DESC) WHERE NOT is_note;

-- Canned replies or notes, with changes of the ticket. NULL or empty changes nothing.
CREATE TABLE macros (
    id          uuid        NOT NULL,
    name        text        NOT NULL,
    content     text        NOT NULL,
    is_note     boolean     NOT NULL,
    status      ticket_status,
    priority    ticket_priority,
    add_tags    text[]      NOT NULL,
    assignee_id uuid,
    team_id     uuid,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    version     bigint      NOT NULL DEFAULT 1,
    CONSTRAINT macros_pkey PRIMARY KEY (id),
    CONSTRAINT macros_assignee_id_fkey FOREIGN KEY (assignee_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT macros_team_id_fkey FOREIGN KEY (team_id) REFERENCES teams (id) ON DELETE SET NULL,
    CONSTRAINT macros_name_check CHECK (char_length(name) BETWEEN 1 AND 100),
    CONSTRAINT macros_content_check CHECK (char_length(content) BETWEEN 1 AND 8000),
    CONSTRAINT macros_add_tags_check CHECK (cardinality(add_tags) <= 20 AND char_length(array_to_string(add_tags, '')) <= 1000),
    CONSTRAINT macros_version_check CHECK (version >= 1)
);

CREATE UNIQUE INDEX macros_name_key ON macros (lower(name));
CREATE INDEX macros_created_at_id_idx ON macros (created_at DESC, id DESC);
CREATE INDEX macros_assignee_id_idx ON macros (assignee_id) WHERE assignee_id IS NOT NULL;
CREATE INDEX macros_team_id_idx ON macros (team_id) WHERE team_id IS NOT NULL;

CREATE TYPE feedback_rating AS ENUM ('up', 'down');

-- A customer's ratings of answers.
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

-- How much an account has written on a day (UTC), for its budget.
CREATE TABLE daily_usage (
    user_id  uuid    NOT NULL,
    day      date    NOT NULL,
    tickets  integer NOT NULL,
    messages integer NOT NULL,
    bytes    bigint  NOT NULL,
    CONSTRAINT daily_usage_pkey PRIMARY KEY (user_id, day),
    CONSTRAINT daily_usage_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);

-- For the sweep, which deletes old days.
CREATE INDEX daily_usage_day_idx ON daily_usage (day);

COMMIT;
