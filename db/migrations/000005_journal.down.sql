BEGIN;
SET LOCAL lock_timeout = '2s';

DROP FUNCTION add_message(uuid, uuid, uuid, actor_kind, boolean, text, text, uuid, integer, bigint, uuid);
DROP FUNCTION supersede_answers(uuid, message_author, uuid, actor_kind);
DROP FUNCTION journal_trim(interval);
DROP FUNCTION journal_sequence(integer, boolean);
DROP FUNCTION journal_extend();
DROP TABLE journal_partitions;
DROP TABLE journal_head;
DROP VIEW journal_entries;
DROP TABLE journal;
DROP TABLE journal_outbox;
DROP TYPE actor_kind;

COMMIT;
