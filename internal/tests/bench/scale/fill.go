package scale

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/supportbackend/support/internal/tests/bench/rig"
)

const (
	messagesPerTicket = 5
	customers         = 20_000
	agents            = 50
	vocabulary        = 20_000
	// years is the age of the desk.
	years = 2
)

// filler creates a large desk: tickets spread evenly over two years, most of the older ones closed. Word frequencies
// are as in natural language: the n-th word is about 1/n as frequent as the first.
type filler struct {
	conn      *pgx.Conn
	random    *rand.Rand
	zipf      *rand.Zipf
	tickets   int
	words     []string
	begin     time.Time
	step      time.Duration
	customers []uuid.UUID
	agents    []uuid.UUID
	teams     []uuid.UUID
	progress  io.Writer
}

// word returns the n-th most frequent word. Search leaves it unchanged in every language.
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

func fill(ctx context.Context, d *rig.Database, tickets int, progress io.Writer) (*filler, error) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // Every run creates the same desk.
	f := &filler{
		conn: d.Conn, random: random, zipf: rand.NewZipf(random, 1.05, 4, vocabulary-1), tickets: tickets,
		step: years * 365 * 24 * time.Hour / time.Duration(tickets), progress: progress,
	}
	f.begin = time.Now().Add(-f.step * time.Duration(tickets))
	for n := range uint64(vocabulary) {
		f.words = append(f.words, word(n))
	}
	// Triggers and foreign keys would check each row, and indexes are built faster after all rows exist.
	if _, err := f.conn.Exec(ctx, "SET session_replication_role = replica; SET maintenance_work_mem = '1GB'"); err != nil {
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
		{"tickets, messages and their words", f.copyTickets},
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

// dropIndexes drops the indexes that no constraint needs, and returns the statements that create them again.
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

// id returns a UUIDv7 with a time.
func (f *filler) id(at time.Time) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[:8], uint64(at.UnixMilli())<<16|f.random.Uint64()&0xfff)
	binary.BigEndian.PutUint64(id[8:], f.random.Uint64())
	id[6], id[8] = id[6]&0x0f|0x70, id[8]&0x3f|0x80
	return id
}

func (f *filler) text(from, to int) []string {
	words := make([]string, from+f.random.IntN(to-from))
	for i := range words {
		words[i] = f.words[f.zipf.Uint64()]
	}
	return words
}

// indexed returns the indexer's vector of a text, after the title if there is one. The words have no other forms.
func indexed(title, text []string) pgtype.TSVector {
	positions := make(map[string][]pgtype.TSVectorPosition)
	for i, word := range slices.Concat(title, text) {
		weight := pgtype.TSVectorWeightD
		if i < len(title) {
			weight = pgtype.TSVectorWeightA
		}
		at := pgtype.TSVectorPosition{Position: uint16(i + 1), Weight: weight}
		positions[word] = append(positions[word], at)
	}
	vector := pgtype.TSVector{Valid: true}
	for word, at := range positions {
		vector.Lexemes = append(vector.Lexemes, pgtype.TSVectorLexeme{Word: word, Positions: at})
	}
	return vector
}

func (f *filler) copyPeople(ctx context.Context) error {
	var rows [][]any
	for i := range customers + agents {
		id, role := f.id(f.begin), "user"
		if i < agents {
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

// opened returns when the i-th ticket was opened, and ticketID computes its id, so that ids need no memory.
func (f *filler) opened(i int) time.Time {
	return f.begin.Add(time.Duration(i) * f.step).Truncate(time.Microsecond)
}

func (f *filler) ticketID(i int) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[:8], uint64(f.opened(i).UnixMilli())<<16|0x7000)
	binary.BigEndian.PutUint64(id[8:], 1<<63|uint64(i)) //nolint:gosec // It is not negative.
	return id
}

func (f *filler) customer(i int) uuid.UUID { return f.customers[i%len(f.customers)] }

// batch is the number of tickets in memory.
const batch = 5000

// copyTickets copies tickets with their messages and search documents, in the order of time.
func (f *filler) copyTickets(ctx context.Context) error {
	began := time.Now()
	for from := 0; from < f.tickets; from += batch {
		var tickets, messages, documents [][]any
		for i := from; i < min(from+batch, f.tickets); i++ {
			ticket, document := f.ticket(i)
			tickets, documents = append(tickets, ticket), append(documents, document)
			said, found := f.messages(i)
			messages, documents = append(messages, said...), append(documents, found...)
		}
		slices.SortStableFunc(documents, func(a, b []any) int {
			return a[2].(time.Time).Compare(b[2].(time.Time)) //nolint:forcetypeassert,errcheck // The column is a time.Time.
		})
		for _, c := range []struct {
			table   string
			columns []string
			rows    [][]any
		}{
			{"tickets", []string{
				"id", "user_id", "title", "description", "status", "created_at", "updated_at", "last_message_at", "priority", "assignee_id",
				"team_id", "first_response_at", "waiting_since", "resolved_at",
			}, tickets},
			{"messages", []string{"id", "ticket_id", "author", "author_id", "content", "created_at", "is_note"}, messages},
			{"search_documents", []string{"id", "customer_id", "created_at", "words"}, documents},
		} {
			if err := f.copy(ctx, c.table, c.columns, c.rows); err != nil {
				return err
			}
		}
		if done := min(from+batch, f.tickets); done%(10*batch) == 0 {
			fmt.Fprintf(f.progress, "filled in %d of %d tickets in %s\n", done, f.tickets, time.Since(began).Round(time.Second))
		}
	}
	return f.run(ctx, "DELETE FROM search_queue")
}

// ticket returns the row of the i-th ticket, and its search document.
func (f *filler) ticket(i int) (row, document []any) {
	at := f.opened(i)
	last := at.Add(messagesPerTicket * time.Hour)
	status, priority := "closed", []string{"low", "normal", "normal", "normal", "high", "urgent"}[f.random.IntN(6)]
	var assignee, team, waiting, resolved any
	if f.random.IntN(10) > 0 {
		assignee, team = f.agents[f.random.IntN(len(f.agents))], f.teams[f.random.IntN(len(f.teams))]
	}
	// Most of the newest tenth is unresolved.
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
	title, description := f.text(4, 9), f.text(15, 60)
	return []any{
		f.ticketID(i), f.customer(i), strings.Join(title, " "), strings.Join(description, " "), status, at, last, last, priority, assignee, team,
		at.Add(time.Hour), waiting, resolved,
	}, []any{f.ticketID(i), f.customer(i), at, indexed(title, description)}
}

// messages returns the rows of the i-th ticket's messages, and their search documents.
func (f *filler) messages(i int) (rows, documents [][]any) {
	for n := range messagesPerTicket {
		at := f.opened(i).Add(time.Duration(n+1) * time.Hour)
		author, authorID, isNote, customer := "customer", any(f.customer(i)), false, any(f.customer(i))
		switch n % 4 {
		case 0:
			author, authorID = "ai", nil
		case 2:
			author, authorID, isNote = "agent", f.agents[i%len(f.agents)], i%3 == 0
		}
		if isNote {
			customer = nil
		}
		id, text := f.id(at), f.text(10, 60)
		rows = append(rows, []any{id, f.ticketID(i), author, authorID, strings.Join(text, " "), at, isNote})
		documents = append(documents, []any{id, customer, at, indexed(nil, text)})
	}
	return rows, documents
}
