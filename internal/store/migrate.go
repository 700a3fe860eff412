package store

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database"
	migratepgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/supportbackend/support/db"
)

// migrateLockTimeout is how long a migration waits for another one. It is long because many replicas may start at once
// and wait for the first.
const migrateLockTimeout = 10 * time.Minute

// Migrator changes the schema from one version to another. An advisory lock lets only one run at a time. Each version
// is one transaction.
type Migrator struct {
	m *migrate.Migrate
}

// migratorSettings override the role's settings in the Migrator's session, so that it can wait for other migrations.
// Each migration limits its own waits.
var migratorSettings = map[string]string{
	"application_name":                    "support migrate",
	"statement_timeout":                   "0",
	"lock_timeout":                        "0",
	"idle_in_transaction_session_timeout": "0",
}

// OpenMigrator connects to the database, which must not be behind a pooler. It and the Migrator's methods return
// DBUnavailable.
func OpenMigrator(databaseURL string) (*Migrator, error) {
	pc, err := parseURL(databaseURL)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	for name, value := range migratorSettings {
		pc.ConnConfig.RuntimeParams[name] = value
	}
	source, err := iofs.New(db.Migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("store: read the migrations: %w", err)
	}
	sessions := stdlib.OpenDB(*pc.ConnConfig)
	driver, err := migratepgx.WithInstance(sessions, &migratepgx.Config{})
	if err != nil {
		return nil, errors.Join(translate(causeOf(err)), sessions.Close())
	}
	m, err := migrate.NewWithInstance("iofs", source, "postgres", &stepDriver{Driver: driver})
	if err != nil {
		return nil, errors.Join(err, driver.Close())
	}
	m.LockTimeout = migrateLockTimeout
	return &Migrator{m: m}, nil
}

// Close ends the connection.
func (m *Migrator) Close() error {
	fromSource, fromDatabase := m.m.Close()
	return errors.Join(fromSource, fromDatabase)
}

// Up migrates to the latest version.
func (m *Migrator) Up() error { return ended(m.m.Up()) }

// Down reverts the last n versions, all of them if n is 0.
func (m *Migrator) Down(n int) error {
	if err := m.checkKnown(); err != nil {
		return err
	}
	if n == 0 {
		return ended(m.m.Down())
	}
	return ended(m.m.Steps(-n))
}

// Goto migrates up or down to the version.
func (m *Migrator) Goto(version uint) error {
	if version == 0 {
		return m.Down(0)
	}
	if err := m.checkKnown(); err != nil {
		return err
	}
	return ended(m.m.Migrate(version))
}

// checkKnown returns an error when the schema is a newer release's, which only that release can revert.
func (m *Migrator) checkKnown() error {
	current, _, err := m.Version()
	if err != nil {
		return err
	}
	latest, err := LatestVersion()
	if err != nil {
		return err
	}
	if current > latest {
		return fmt.Errorf("the schema has version %d, which only a newer release can revert; this release knows versions up to %d",
			current, latest)
	}
	return nil
}

// Force records the version as the current one without running anything, to recover after another program interrupted a
// migration. 0 means an empty database.
func (m *Migrator) Force(version int) error {
	if version == 0 {
		version = database.NilVersion
	}
	return ended(m.m.Force(version))
}

// Version returns the current version, 0 for an empty database, and whether a migration to it was interrupted.
func (m *Migrator) Version() (version int64, dirty bool, err error) {
	current, dirty, err := m.m.Version()
	if errors.Is(err, migrate.ErrNilVersion) {
		return 0, false, nil
	}
	return int64(current), dirty, ended(err) //nolint:gosec // Versions are small numbers.
}

// ended returns nil when there was nothing to do. For a schema that is marked as dirty, its error says what to do.
func ended(err error) error {
	var dirty migrate.ErrDirty
	var short migrate.ErrShortLimit
	switch {
	case err == nil, errors.Is(err, migrate.ErrNoChange), errors.Is(err, fs.ErrNotExist), errors.As(err, &short):
		return nil
	case errors.As(err, &dirty):
		return fmt.Errorf("another program has marked version %[1]d as dirty: check whether the schema has everything that migration "+
			"%[1]d creates; if it has, run \"support migrate force %[1]d\", otherwise \"support migrate force %[2]d\", and then "+
			"\"support migrate up\"", dirty.Version, dirty.Version-1)
	default:
		return translate(causeOf(err))
	}
}

// LatestVersion returns the version of this program's schema.
func LatestVersion() (int64, error) {
	names, err := fs.Glob(db.Migrations, "migrations/*.up.sql")
	if err != nil {
		return 0, fmt.Errorf("store: list the migrations: %w", err)
	}
	var latest int64
	for _, name := range names {
		number, _, _ := strings.Cut(strings.TrimPrefix(name, "migrations/"), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("store: migration %s has no number: %w", name, err)
		}
		latest = max(latest, version)
	}
	return latest, nil
}
