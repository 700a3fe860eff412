BEGIN;
SET LOCAL lock_timeout = '2s';

DROP TABLE live_prompt;
DROP TABLE prompts;
DROP TYPE prompt_tone;

COMMIT;
