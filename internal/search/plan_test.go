package search_test

import (
	"log/slog"
	"regexp"
	"strconv"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/search"
	"github.com/supportbackend/support/internal/testing/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// scanned matches the number of rows that a plan's node has read from the search index.
var scanned = regexp.MustCompile(`(?m)(?:Bitmap Heap Scan|Scan using \w+) on (?:search_documents|messages|tickets).*\(actual rows=(\d+) loops=(\d+)\)`)

// Every search, for common and for rare words, uses the word index. It reads texts neither sequentially nor in the
// order of time.
func TestSearchesReadABoundedNumberOfTexts(t *testing.T) {
	t.Parallel()
	const texts, most = 10_000, 50
	url := storetest.NewURL(t)
	customer := uuid.New()
	storetest.Exec(t, url, "INSERT INTO users (id, email, password_hash, role) VALUES ($1, 'c@example.com', '!', 'user')", customer)
	storetest.Exec(t, url, `INSERT INTO tickets (id, user_id, title, description)
		SELECT ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, $1, 'A title', repeat(n || ' ', 300) FROM generate_series(0, 999) AS n`, customer)
	storetest.Exec(t, url, `INSERT INTO messages (id, ticket_id, author, author_id, content, created_at)
		SELECT gen_random_uuid(), ('00000000-0000-0000-0000-' || lpad((n % 1000)::text, 12, '0'))::uuid, 'customer', $1, 'common' || CASE WHEN n % 2500 = 0 THEN ' rare' ELSE '' END, now() + n * interval '1 second'
		FROM generate_series(1, $2::integer) AS n`, customer, texts)
	s := storetest.Open(t, url)
	require.NoError(t, search.NewService(s, "english", slog.New(slog.DiscardHandler)).Index(t.Context()))
	storetest.Exec(t, url, "VACUUM ANALYZE")
	for _, words := range []string{"common", "rare", "common rare", `"common rare"`, "common -rare", "nothing"} {
		for _, query := range []string{"FindSearchResults", "ListTicketsByText"} {
			for _, staff := range []string{"true", "false"} {
				plan := storetest.ExplainAll(t, url, "search.sql", query, map[string]string{
					"query": "'" + words + "'", "max_candidates": strconv.Itoa(most), "max_rows": "20", "staff": staff,
					"actor_id": "'" + customer.String() + "'", "before_score_at": "'infinity'", "before_id": "'" + uuid.Max.String() + "'",
				})
				require.Contains(t, plan, "search_documents_words_idx", "the plan shows what search_matches does:\n%s", plan)
				require.NotRegexp(t, `Seq Scan on (search_documents|messages|tickets) .*\(actual`, plan)
				require.NotContains(t, plan, "search_documents_number_idx", "%s walks the texts in the order of time:\n%s", query, plan)
				for _, node := range scanned.FindAllStringSubmatch(plan, -1) {
					rows, err := strconv.Atoi(node[1])
					require.NoError(t, err)
					loops, err := strconv.Atoi(node[2])
					require.NoError(t, err)
					// A search reads whole blocks. The smallest has 1,024 texts.
					require.LessOrEqual(t, rows*loops, 1024+most, "%s for %s:\n%s", query, words, plan)
				}
			}
		}
	}
}

// Rare words of old documents are read at once, whatever else is asked for, and all of them are found.
func TestRareWordsAreFoundInOldDocuments(t *testing.T) {
	t.Parallel()
	const found = "FROM search_matches($1, NULL, 500) WHERE rank IS NOT NULL"
	url := storetest.NewURL(t)
	storetest.Exec(t, url, `INSERT INTO search_documents (id, created_at, words)
		SELECT gen_random_uuid(), now(), to_tsvector('english', concat_ws(' ', 'common', CASE WHEN n % 2 = 0 THEN 'second' END,
			CASE WHEN n % 50 = 0 THEN 'seldom' END, CASE WHEN n IN (1, 7000, 39999) THEN 'rare' END))
		FROM generate_series(1, 40000) AS n`)
	storetest.Exec(t, url, "VACUUM ANALYZE search_documents")
	for words, want := range map[string]int{
		"rare": 3, "common rare": 3, "rare -second": 2, `"common rare"`: 2, "rare or nothing": 3, "second rare": 1, "nothing": 0,
		"common": 500, "seldom": 500, "seldom second": 500, "seldom -second": 0,
	} {
		require.Equal(t, want, storetest.QueryInt(t, url, "SELECT count(*) "+found, words), words)
		require.Equal(t, want, storetest.QueryInt(t, url, "SELECT count(DISTINCT id) "+found, words), words)
	}
	newest := "SELECT count(*) FROM search_documents WHERE number > 15001 AND id IN (SELECT id " + found + ")"
	require.Equal(t, 500, storetest.QueryInt(t, url, newest, "seldom"), "the newest ones")
	plan := storetest.ExplainAll(t, url, "search.sql", "ListTicketsByText", map[string]string{"query": "'common rare'", "max_candidates": "500"})
	require.Regexp(t, `Recheck Cond: \(words @@ \$\d+\)\n\s+Heap Blocks: exact=3\n`, plan, "no block, and only the documents with the rare word")
}
