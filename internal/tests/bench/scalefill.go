package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

const (
	messagesPerTicket = 5
	scaleCustomers    = 20_000
	scaleAgents       = 50
	scaleWords        = 20_000
	// scaleYears is how long the desk has been there.
	scaleYears = 2
)

// filler makes a large desk: tickets at even times over two years, most of the older ones closed, and texts whose words are as
// frequent as those of people, the n-th about 1/n as often as the first.
type filler struct {
	conn      *pgx.Conn
	random    *rand.Rand
	zipf      *rand.Zipf
	tickets   int
	begin     time.Time
	step      time.Duration
	customers []uuid.UUID
	agents    []uuid.UUID
	teams     []uuid.UUID
	progress  io.Writer
}

// word is the n-th most frequent one. It has no other form in any language.
func word(n uint64) string {
	const consonants, vowels = "bdfgklmnprstvz", "aou"
	var b strings.Builder
	for range 3 {
		b.WriteByte(consonants[n%uint64(len(consonants))])
		n /= uint64(len(consonants))
		b.WriteByte(vowels[n%uint64(len(vowels))])
		n /= uint64(len(vowels))
	}
	b.WriteByte('x')
	return b.String()
}

func fill(ctx context.Context, d *database, tickets int, progress io.Writer) (*filler, error) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // The same desk every time.
	f := &filler{
		conn: d.conn, random: random, zipf: rand.NewZipf(random, 1.05, 4, scaleWords-1), tickets: tickets,
		step: scaleYears * 365 * 24 * time.Hour / time.Duration(tickets), progress: progress,
	}
	f.begin = time.Now().Add(-f.step * time.Duration(tickets))
	// Triggers and foreign keys would look at each row, and indexes are made faster when all rows are there.
	if _, err := f.conn.Exec(ctx, "SET session_replication_role = replica; SET maintenance_work_mem = '512MB'"); err != nil {
		return nil, err
	}
	indexes, err := f.dropIndexes(ctx)
	if err != nil {
		return nil, err
	}
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"accounts", f.copyPeople},
		{"tickets", f.copyTickets},
		{"messages", f.copyMessages},
		{"words", f.indexWords},
		{"indexes", func(ctx context.Context) error { return f.run(ctx, indexes...) }},
		{"statistics", func(ctx context.Context) error {
			return f.run(ctx, "RESET session_replication_role", "VACUUM (ANALYZE)", "CHECKPOINT")
		}},
	} {
		began := time.Now()
		if err := step.do(ctx); err != nil {
			return nil, fmt.Errorf("fill in %s: %w", step.name, err)
		}
		fmt.Fprintf(progress, "filled in %s in %s\n", step.name, time.Since(began).Round(100*time.Millisecond))
	}
	return f, nil
}

func (f *filler) run(ctx context.Context, statements ...string) error {
	for _, statement := range statements {
		if _, err := f.conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// dropIndexes drops those that no constraint needs, and returns the statements that make them again.
func (f *filler) dropIndexes(ctx context.Context) (made []string, err error) {
	rows, err := f.conn.Query(ctx, `SELECT pg_get_indexdef(i.indexrelid), i.indexrelid::regclass::text
		FROM pg_index AS i
		WHERE i.indrelid IN ('tickets'::regclass, 'messages'::regclass, 'search_documents'::regclass) AND NOT i.indisprimary`)
	if err != nil {
		return nil, err
	}
	var names []string
	var definition, name string
	_, err = pgx.ForEachRow(rows, []any{&definition, &name}, func() error {
		made, names = append(made, definition), append(names, name)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return made, f.run(ctx, "DROP INDEX "+strings.Join(names, ", "))
}

// id is a UUIDv7 of a time.
func (f *filler) id(at time.Time) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[:8], uint64(at.UnixMilli())<<16|f.random.Uint64()&0xfff)
	binary.BigEndian.PutUint64(id[8:], f.random.Uint64())
	id[6], id[8] = id[6]&0x0f|0x70, id[8]&0x3f|0x80
	return id
}

func (f *filler) text(from, to int) string {
	words := make([]string, from+f.random.IntN(to-from))
	for i := range words {
		words[i] = word(f.zipf.Uint64())
	}
	return strings.Join(words, " ")
}

func (f *filler) copyPeople(ctx context.Context) error {
	var rows [][]any
	for i := range scaleCustomers + scaleAgents {
		id, role := f.id(f.begin), "user"
		if i < scaleAgents {
			role = "agent"
			f.agents = append(f.agents, id)
		} else {
			f.customers = append(f.customers, id)
		}
		rows = append(rows, []any{id, fmt.Sprintf("person-%d@example.com", i), "!", role, f.begin})
	}
	if err := f.copy(ctx, "users", []string{"id", "email", "password_hash", "role", "created_at"}, rows); err != nil {
		return err
	}
	rows = nil
	for i := range 8 {
		f.teams = append(f.teams, f.id(f.begin))
		rows = append(rows, []any{f.teams[i], fmt.Sprintf("Team %d", i)})
	}
	return f.copy(ctx, "teams", []string{"id", "name"}, rows)
}

func (f *filler) copy(ctx context.Context, table string, columns []string, rows [][]any) error {
	_, err := f.conn.CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromRows(rows))
	return err
}

// opened is when the i-th ticket was opened, and ticketID its id, which needs no memory.
func (f *filler) opened(i int) time.Time {
	return f.begin.Add(time.Duration(i) * f.step).Truncate(time.Microsecond)
}

func (f *filler) ticketID(i int) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[:8], uint64(f.opened(i).UnixMilli())<<16|0x7000)
	binary.BigEndian.PutUint64(id[8:], 1<<63|uint64(i)) //nolint:gosec // It is not negative.
	return id
}

func (f *filler) customer(i int) uuid.UUID { return f.customers[i%len(f.customers)] }

// batch bounds what is in memory.
const batch = 20_000

func (f *filler) copyTickets(ctx context.Context) error {
	columns := []string{
		"id", "user_id", "title", "description", "status", "created_at", "updated_at", "last_message_at", "priority", "assignee_id",
		"team_id", "first_response_at", "waiting_since", "resolved_at",
	}
	for from := 0; from < f.tickets; from += batch {
		var rows [][]any
		for i := from; i < min(from+batch, f.tickets); i++ {
			rows = append(rows, f.ticket(i))
		}
		if err := f.copy(ctx, "tickets", columns, rows); err != nil {
			return err
		}
	}
	return nil
}

func (f *filler) ticket(i int) []any {
	at := f.opened(i)
	last := at.Add(messagesPerTicket * time.Hour)
	status, priority := "closed", []string{"low", "normal", "normal", "normal", "high", "urgent"}[f.random.IntN(6)]
	var assignee, team, waiting, resolved any
	if f.random.IntN(10) > 0 {
		assignee, team = f.agents[f.random.IntN(len(f.agents))], f.teams[f.random.IntN(len(f.teams))]
	}
	// The newest tenth is mostly unresolved.
	switch share := f.random.IntN(20); {
	case i > f.tickets*9/10 && share < 14:
		status, waiting = "open", last
	case i > f.tickets*9/10 && share < 17:
		status = "pending"
	case share < 4:
		status = "resolved"
	}
	if status == "closed" || status == "resolved" {
		resolved = last.Add(time.Hour)
	}
	return []any{
		f.ticketID(i), f.customer(i), f.text(4, 9), f.text(15, 60), status, at, last, last, priority, assignee, team,
		at.Add(time.Hour), waiting, resolved,
	}
}

func (f *filler) copyMessages(ctx context.Context) error {
	columns := []string{"id", "ticket_id", "author", "author_id", "content", "created_at", "is_note"}
	for from := 0; from < f.tickets; from += batch / messagesPerTicket {
		var rows [][]any
		for i := from; i < min(from+batch/messagesPerTicket, f.tickets); i++ {
			for n := range messagesPerTicket {
				at := f.opened(i).Add(time.Duration(n+1) * time.Hour)
				author, authorID, isNote := "customer", any(f.customer(i)), false
				switch n % 4 {
				case 0:
					author, authorID = "ai", nil
				case 2:
					author, authorID, isNote = "agent", f.agents[i%len(f.agents)], i%3 == 0
				}
				rows = append(rows, []any{f.id(at), f.ticketID(i), author, authorID, f.text(10, 60), at, isNote})
			}
		}
		if err := f.copy(ctx, "messages", columns, rows); err != nil {
			return err
		}
	}
	return nil
}

// indexWords does what the indexer does, all at once.
func (f *filler) indexWords(ctx context.Context) error {
	return f.run(ctx, "DELETE FROM search_queue", `INSERT INTO search_documents (id, customer_id, created_at, words)
		SELECT d.id, d.customer_id, d.created_at, d.words
		FROM (
			SELECT t.id, t.user_id AS customer_id, t.created_at,
				setweight(to_tsvector('english', t.title), 'A') || to_tsvector('english', t.description) AS words
			FROM tickets AS t
			UNION ALL
			SELECT m.id, CASE WHEN NOT m.is_note THEN t.user_id END, m.created_at, to_tsvector('english', m.content)
			FROM messages AS m
			JOIN tickets AS t ON t.id = m.ticket_id
		) AS d
		ORDER BY d.created_at`)
}
