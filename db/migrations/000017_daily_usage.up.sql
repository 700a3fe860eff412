BEGIN;
SET LOCAL lock_timeout = '2s';

-- What an account has written in a day (UTC), for its budget.
CREATE TABLE daily_usage (
    user_id  uuid    NOT NULL,
    day      date    NOT NULL,
    tickets  integer NOT NULL,
    messages integer NOT NULL,
    bytes    bigint  NOT NULL,
    CONSTRAINT daily_usage_pkey PRIMARY KEY (user_id, day),
    CONSTRAINT daily_usage_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);

-- Old days are deleted.
CREATE INDEX daily_usage_day_idx ON daily_usage (day);

COMMIT;
