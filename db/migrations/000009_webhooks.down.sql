BEGIN;
SET LOCAL lock_timeout = '2s';

DROP TABLE webhook_cursor;
DROP FUNCTION journal_entry_intact;
DROP TABLE webhook_attempts;
DROP TABLE webhook_deliveries;
DROP TYPE webhook_delivery_status;
DROP TABLE webhooks;
DROP TYPE webhook_payload;

COMMIT;
