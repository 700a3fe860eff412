BEGIN;
SET LOCAL lock_timeout = '2s';

-- Raised by every change of what a ticket shows, its messages included. Existing rows have the default, so there is
-- nothing to validate.
ALTER TABLE tickets ADD COLUMN version bigint NOT NULL DEFAULT 1;
ALTER TABLE tickets ADD CONSTRAINT tickets_version_check CHECK (version >= 1) NOT VALID;

COMMIT;
