package contracttest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/testing/storetest"
)

// sent is a request of a test, with the time in which its operation may have written journal entries.
type sent struct {
	operation *openapi3.Operation
	from, to  time.Time
}

// requests are the requests of a test to one server.
type requests struct {
	mu   sync.Mutex
	sent []sent
}

func (r *requests) note(operation *openapi3.Operation, from time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = append(r.sent, sent{operation, from, time.Now()})
}

// during returns the operations that ran at a time.
func (r *requests) during(at time.Time) (running []*openapi3.Operation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.sent {
		if !at.Before(s.from) && !at.After(s.to) && !slices.Contains(running, s.operation) {
			running = append(running, s.operation)
		}
	}
	return running
}

// listed returns the types of the entries that an operation may write.
func listed(operation *openapi3.Operation) (types []string) {
	values, _ := operation.Extensions["x-events"].([]any)
	for _, value := range values {
		types = append(types, fmt.Sprint(value))
	}
	return types
}

// mayWrite reports whether an operation may write an entry of the type. The first request for a customer creates the
// account.
func mayWrite(operation *openapi3.Operation, kind string) bool {
	return slices.Contains(listed(operation), kind) || kind == "user.created" && takesOnBehalfOf(operation)
}

func takesOnBehalfOf(operation *openapi3.Operation) bool {
	return operation.Security != nil && slices.ContainsFunc(*operation.Security, func(r openapi3.SecurityRequirement) bool {
		_, takes := r["onBehalfOf"]
		return takes
	})
}

// documented maps each type of event to its row of the contract's table. The rows name types and the members of data in
// backticks.
var documented = sync.OnceValues(func() (map[string]string, error) {
	doc, err := spec()
	if err != nil {
		return nil, err
	}
	rows := make(map[string]string)
	for row := range strings.Lines(doc.Info.Description) {
		cells := strings.Split(row, "|")
		if len(cells) < 5 {
			continue
		}
		for _, kind := range eventType.FindAllStringSubmatch(cells[1], -1) {
			rows[kind[1]] = cells[3]
		}
	}
	return rows, nil
})

var eventType = regexp.MustCompile("`([a-z_]+\\.[a-z_]+)`")

// checkDocumented checks that the contract's table has the type of an entry and the members of its data.
func checkDocumented(t testing.TB, kind string, members []string) {
	t.Helper()
	rows, err := documented()
	require.NoError(t, err)
	row, ok := rows[kind]
	if !ok {
		t.Errorf("the contract's table of events does not have %s", kind)
		return
	}
	for _, member := range members {
		if !strings.Contains(row, "`"+member+"`") {
			t.Errorf("the contract's table of events does not say that the data of %s has %s", kind, member)
		}
	}
}

// CheckEntries assigns the entries of the database's journal to the transport's requests by their times. Every entry of a
// person or a service must be listed in x-events of an operation that ran at that time. Background work, the AI and the
// system may write any entry. Every entry must be well-formed, and the contract's table of events must describe it.
func (tr *Transport) CheckEntries(t testing.TB, databaseURL string) {
	t.Helper()
	var entries []struct {
		Type       string    `json:"type"`
		ActorKind  string    `json:"actor_kind"`
		OccurredAt time.Time `json:"occurred_at"`
		WellFormed bool      `json:"well_formed"`
		Members    []string  `json:"members"`
	}
	text := storetest.QueryText(t, databaseURL, `SELECT coalesce(json_agg(e), '[]')::text FROM (
		SELECT
			type, actor_kind, occurred_at, ARRAY(SELECT jsonb_object_keys(data)) AS members, type COLLATE "C" ~ '^[a-z_]{1,30}\.[a-z_]{1,30}$'
				AND (actor_kind IN ('ai', 'system')) = (actor_id IS NULL)
				AND jsonb_typeof(data) = 'object' AND octet_length(data::text) <= 16384 AS well_formed
		FROM (
			SELECT type, actor_kind, actor_id, occurred_at, data FROM journal_outbox
			UNION ALL
			SELECT type, actor_kind, actor_id, occurred_at, data FROM journal
		) AS entries
	) AS e`)
	require.NoError(t, json.Unmarshal([]byte(text), &entries))
	for _, e := range entries {
		if !e.WellFormed {
			t.Errorf("the entry %s has a malformed type, actor or data", e.Type)
		}
		checkDocumented(t, e.Type, e.Members)
		running := tr.sent.during(e.OccurredAt)
		writers := slices.DeleteFunc(slices.Clone(running), func(o *openapi3.Operation) bool {
			return !mayWrite(o, e.Type)
		})
		switch {
		case len(writers) == 1:
			seen.entry(writers[0].OperationID, e.Type)
		case len(writers) == 0 && len(running) > 0 && e.ActorKind != "ai" && e.ActorKind != "system":
			t.Errorf("%s wrote an entry %s, which its x-events do not list", running[0].OperationID, e.Type)
		}
	}
}
