-- name: CreateDemoDesk :exec
-- Fills a desk that has no tickets, for "support dev --demo": 40 customers, 2 teams of the members, and 200 tickets
-- that repeat the stories, from minutes to months old. A story has a title, a description, tags, and turns: by the
-- customer, an agent or the AI, or an agent's note. In tickets in the AI mode "draft", the last answer of the story is
-- a draft.
WITH stories AS MATERIALIZED (
    SELECT s.story, s.n - 1 AS n, count(*) OVER () AS total
    FROM jsonb_array_elements(@stories::jsonb) WITH ORDINALITY AS s (story, n)
    WHERE NOT EXISTS (SELECT FROM tickets)
),
people AS MATERIALIZED (
    SELECT n.n, gen_random_uuid() AS id
    FROM generate_series(0, 39) AS n (n)
),
named_teams AS MATERIALIZED (
    SELECT t.n - 1 AS n, t.name, gen_random_uuid() AS id
    FROM unnest(ARRAY['Billing', 'Shipping']) WITH ORDINALITY AS t (name, n)
),
planned AS MATERIALIZED (
    SELECT
        i.i, gen_random_uuid() AS id, people.id AS user_id, s.story,
        now() - (i.i ^ 2.2 + 5) * interval '1 minute' AS created_at,
        (CASE WHEN i.i % 10 = 0 THEN 'pending' WHEN i.i <= 60 THEN 'open' WHEN i.i % 4 = 1 THEN 'closed' ELSE 'resolved' END) AS status,
        (CASE i.i % 5 WHEN 0 THEN 'draft' WHEN 1 THEN 'draft' WHEN 2 THEN 'off' ELSE 'auto' END) AS ai_mode,
        -- Open tickets have not reached the end of their story. A draft is the first answer.
        CASE
            WHEN i.i <= 60 AND i.i % 5 < 2 THEN 1
            WHEN i.i <= 60 THEN jsonb_array_length(s.story -> 'turns') - i.i % 3
            ELSE jsonb_array_length(s.story -> 'turns')
        END AS turns
    FROM generate_series(1, 200) AS i (i)
    JOIN stories AS s ON s.n = i.i % s.total
    JOIN people ON people.n = (i.i * 7) % 40
),
said AS MATERIALIZED (
    SELECT
        p.i, p.id AS ticket_id, p.user_id, gen_random_uuid() AS id, t.n, t.turn ->> 'by' AS author, t.turn ->> 'text' AS content,
        p.created_at + t.n * least((now() - p.created_at) / (p.turns + 1), interval '90 minutes') AS created_at,
        p.ai_mode = 'draft' AND t.turn ->> 'by' = 'ai' AND p.status = 'open' AND t.n = p.turns AS is_draft
    FROM planned AS p
    CROSS JOIN LATERAL jsonb_array_elements(p.story -> 'turns') WITH ORDINALITY AS t (turn, n)
    WHERE t.n <= p.turns
),
new_people AS (
    INSERT INTO users (id, email, password_hash, role, created_at)
    SELECT people.id, 'customer-' || people.n + 1 || '@example.com', '!', 'user', now() - interval '200 days'
    FROM people
    WHERE EXISTS (SELECT FROM stories)
),
new_teams AS (
    INSERT INTO teams (id, name)
    SELECT t.id, t.name
    FROM named_teams AS t
    WHERE EXISTS (SELECT FROM stories)
),
new_members AS (
    INSERT INTO team_members (team_id, user_id)
    SELECT t.id, m.user_id
    FROM named_teams AS t
    CROSS JOIN unnest(@members::uuid[]) AS m (user_id)
    WHERE EXISTS (SELECT FROM stories)
),
new_tickets AS (
    INSERT INTO tickets (
        id, user_id, title, description, status, created_at, updated_at, ai_mode, last_message_at, priority, assignee_id, team_id,
        tags, snoozed_until, first_response_at, waiting_since, resolved_at
    )
    SELECT
        p.id, p.user_id, p.story ->> 'title', p.story ->> 'description', p.status::ticket_status, p.created_at,
        coalesce(talk.last_at, p.created_at), p.ai_mode::ai_mode, coalesce(talk.last_at, p.created_at),
        (CASE WHEN p.i % 12 = 0 THEN 'urgent' WHEN p.i % 12 <= 2 THEN 'high' WHEN p.i % 12 = 3 THEN 'low' ELSE 'normal' END)::ticket_priority,
        CASE WHEN p.i % 3 > 0 THEN (@members::uuid[])[1 + p.i % cardinality(@members::uuid[])] END,
        (SELECT t.id FROM named_teams AS t WHERE t.n = p.i % 4),
        ARRAY(SELECT jsonb_array_elements_text(p.story -> 'tags')),
        CASE WHEN p.status = 'open' AND p.i % 9 = 0 THEN now() + interval '1 day' END,
        talk.replied_at,
        CASE WHEN p.status IN ('open', 'pending') AND talk.customer_at >= coalesce(talk.human_at, p.created_at) THEN talk.customer_at END,
        CASE WHEN p.status IN ('resolved', 'closed') THEN coalesce(talk.last_at, p.created_at) + interval '1 second' END
    FROM planned AS p
    CROSS JOIN LATERAL (
        SELECT
            max(s.created_at) AS last_at,
            min(s.created_at) FILTER (WHERE s.author IN ('agent', 'ai')) AS replied_at,
            max(s.created_at) FILTER (WHERE s.author = 'agent') AS human_at,
            coalesce(max(s.created_at) FILTER (WHERE s.author = 'customer'), p.created_at) AS customer_at
        FROM said AS s
        WHERE s.ticket_id = p.id AND NOT s.is_draft
    ) AS talk
),
new_messages AS (
    INSERT INTO messages (id, ticket_id, author, author_id, content, created_at, is_note)
    SELECT
        s.id, s.ticket_id, (CASE s.author WHEN 'note' THEN 'agent' ELSE s.author END)::message_author,
        CASE s.author WHEN 'customer' THEN s.user_id WHEN 'ai' THEN NULL ELSE (@members::uuid[])[1 + s.i % cardinality(@members::uuid[])] END,
        s.content, s.created_at, s.author = 'note'
    FROM said AS s
    WHERE NOT s.is_draft
),
new_ratings AS (
    INSERT INTO message_feedback (message_id, user_id, rating, created_at, updated_at)
    SELECT s.id, s.user_id, (CASE WHEN s.i % 8 = 0 THEN 'down' ELSE 'up' END)::feedback_rating, s.created_at, s.created_at
    FROM said AS s
    WHERE s.author = 'ai' AND NOT s.is_draft AND s.i % 2 = 0
)
INSERT INTO ai_responses (
    id, ticket_id, turn_message_id, status, model, message_id, finish_reason, prompt_tokens, completion_tokens, lease_expires_at,
    created_at, first_token_at, finished_at, has_events, customer_id, content, review
)
SELECT
    gen_random_uuid(), s.ticket_id,
    (
        SELECT c.id FROM said AS c
        WHERE c.ticket_id = s.ticket_id AND c.author = 'customer' AND c.n < s.n
        ORDER BY c.n DESC
        LIMIT 1
    ),
    'completed', @model, CASE WHEN NOT s.is_draft THEN s.id END, 'stop', 180, length(s.content) / 4, s.created_at,
    s.created_at, s.created_at, s.created_at, false, CASE WHEN NOT s.is_draft THEN s.user_id END,
    CASE WHEN s.is_draft THEN s.content END, CASE WHEN s.is_draft THEN 'pending'::ai_review END
FROM said AS s
WHERE s.author = 'ai';
