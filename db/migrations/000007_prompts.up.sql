BEGIN;
SET LOCAL lock_timeout = '2s';

CREATE TYPE prompt_tone AS ENUM ('friendly', 'neutral', 'formal', 'empathetic');

-- What administrators tell the AI about the desk. A prompt is a draft until it is first published. From then on it
-- never changes, so that a version always names the same text. Every change of a draft raises revision. Empty texts are
-- left out of the prompt.
CREATE TABLE prompts (
    id           uuid        NOT NULL,
    version      integer     NOT NULL,
    revision     bigint      NOT NULL DEFAULT 1,
    company      text        NOT NULL,
    product      text        NOT NULL,
    tone         prompt_tone NOT NULL,
    language     text        NOT NULL,
    rules        text[]      NOT NULL,
    instructions text        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    published_at timestamptz,
    CONSTRAINT prompts_pkey PRIMARY KEY (id),
    CONSTRAINT prompts_version_key UNIQUE (version),
    CONSTRAINT prompts_version_check CHECK (version BETWEEN 1 AND 1000000),
    CONSTRAINT prompts_company_check CHECK (char_length(company) BETWEEN 1 AND 100),
    CONSTRAINT prompts_product_check CHECK (char_length(product) <= 200),
    CONSTRAINT prompts_language_check CHECK (char_length(language) <= 35),
    CONSTRAINT prompts_rules_check CHECK (cardinality(rules) <= 20 AND octet_length(array_to_string(rules, '')) <= 6144),
    CONSTRAINT prompts_instructions_check CHECK (octet_length(instructions) <= 6144)
);

CREATE INDEX prompts_created_at_id_idx ON prompts (created_at DESC, id DESC);

-- The prompt that the AI uses. At most one row; without one, the AI uses the built-in prompt.
CREATE TABLE live_prompt (
    only_one  boolean NOT NULL DEFAULT true,
    prompt_id uuid    NOT NULL,
    CONSTRAINT live_prompt_pkey PRIMARY KEY (only_one),
    CONSTRAINT live_prompt_prompt_id_fkey FOREIGN KEY (prompt_id) REFERENCES prompts (id),
    CONSTRAINT live_prompt_only_one_check CHECK (only_one)
);

CREATE INDEX live_prompt_prompt_id_idx ON live_prompt (prompt_id);

COMMIT;
