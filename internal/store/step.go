package store

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/golang-migrate/migrate/v4/database"
	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// stepTries is how often a migration that waits too long for a lock is tried. Each try gives up after 2 seconds, so
	// that requests that wait behind it can continue.
	stepTries = 5

	stepBegin, stepEnd = "BEGIN;", "COMMIT;"
)

// stepDriver makes a migration and the record of its version one transaction, so the schema always matches the recorded
// version. golang-migrate itself records the version as dirty before and as clean afterwards, and so cannot tell a
// migration without effect from a half-finished one.
type stepDriver struct {
	database.Driver
	// target is the version after the next migration.
	target int
	// recorded means that the migration has recorded the target.
	recorded bool
}

// SetVersion is called before a migration, with dirty set, and after it.
func (d *stepDriver) SetVersion(version int, dirty bool) error {
	if dirty {
		d.target, d.recorded = version, false
		return nil
	}
	if d.recorded && version == d.target {
		d.recorded = false
		return nil
	}
	return d.Driver.SetVersion(version, false)
}

// Run runs a migration, which must be one transaction.
func (d *stepDriver) Run(migration io.Reader) error {
	text, err := io.ReadAll(migration)
	if err != nil {
		return err
	}
	body := strings.TrimSpace(string(text))
	if !strings.HasPrefix(body, stepBegin) || !strings.HasSuffix(body, stepEnd) {
		return errors.New("store: a migration does not begin with BEGIN; and end with COMMIT;")
	}
	step := strings.TrimSuffix(body, stepEnd) + d.record() + stepEnd
	for try := 1; ; try++ {
		err = d.Driver.Run(strings.NewReader(step))
		if err == nil {
			d.recorded = true
			return nil
		}
		// The session is still in the failed transaction, unless the connection is lost.
		_ = d.Driver.Run(strings.NewReader("ROLLBACK"))
		if sqlStateOf(causeOf(err)) != pgerrcode.LockNotAvailable || try == stepTries {
			return d.explain(causeOf(err))
		}
	}
}

// explain returns what happened to a failed migration.
func (d *stepDriver) explain(err error) error {
	version := max(d.target, 0)
	var pg *pgconn.PgError
	switch {
	case !errors.As(err, &pg):
		return fmt.Errorf("the connection was lost during the migration to version %d, so its result is unknown; run the command "+
			"again: %w", version, translate(err))
	case pg.Code == pgerrcode.LockNotAvailable:
		return fmt.Errorf("the migration to version %d changed nothing: another session held a lock on its tables during all %d "+
			"attempts (see pg_stat_activity); run the command again", version, stepTries)
	default:
		return fmt.Errorf("the migration to version %d changed nothing: %s (SQLSTATE %s)", version, pg.Message, pg.Code)
	}
}

// causeOf returns the cause of a golang-migrate error, which does not unwrap.
func causeOf(err error) error {
	var byValue database.Error
	var byPointer *database.Error
	switch {
	case errors.As(err, &byValue) && byValue.OrigErr != nil:
		return byValue.OrigErr
	case errors.As(err, &byPointer) && byPointer.OrigErr != nil:
		return byPointer.OrigErr
	default:
		return err
	}
}

// record returns the statements that record the target.
func (d *stepDriver) record() string {
	sql := "DELETE FROM schema_migrations;\n"
	if d.target != database.NilVersion {
		sql += fmt.Sprintf("INSERT INTO schema_migrations (version, dirty) VALUES (%d, false);\n", d.target)
	}
	return sql
}
