BEGIN;
SET LOCAL lock_timeout = '2s';

DROP TRIGGER messages_search ON messages;
DROP TRIGGER tickets_search_update ON tickets;
DROP TRIGGER tickets_search ON tickets;
DROP FUNCTION queue_for_search;
DROP TABLE search_queue;
DROP TABLE search_documents;
DROP FUNCTION search_blocks;
DROP FUNCTION search_keys;
DROP TABLE search_index;

COMMIT;
