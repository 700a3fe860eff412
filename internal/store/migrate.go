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

	// The driver registers itself for URLs of the scheme pgx5.
	_ "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source/iofs"

	"github.com/supportbackend/support/db"
)

// migrateLockTimeout is how long a migration waits for another one to finish. It is long, because many replicas may
// start at once and each waits for the first.
const migrateLockTimeout = 10 * time.Minute

// Migrator changes the database's schema from one version to another. Only one runs at a time, by an advisory lock.
type Migrator struct {
	m *migrate.Migrate
}

// OpenMigrator connects to the database, which must be a URL, not a keyword string. It returns DBUnavailable, and so do
// the Migrator's methods.
func OpenMigrator(url string) (*Migrator, error) {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok || scheme != "postgres" && scheme != "postgresql" {
		return nil, errors.New("store: migrations need a database URL that begins with postgres://")
	}
	source, err := iofs.New(db.Migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("store: read the migrations: %w", err)
	}
	m, err := migrate.NewWithSourceInstance("iofs", source, "pgx5://"+rest)
	if err != nil {
		return nil, translate(err)
	}
	m.LockTimeout = migrateLockTimeout
	return &Migrator{m: m}, nil
}

// Close ends the connection.
func (m *Migrator) Close() error {
	fromSource, fromDatabase := m.m.Close()
	return errors.Join(fromSource, fromDatabase)
}

// Up goes to the latest version.
func (m *Migrator) Up() error { return ended(m.m.Up()) }

// Down takes back the last n versions, or all of them when n is 0.
func (m *Migrator) Down(n int) error {
	if n == 0 {
		return ended(m.m.Down())
	}
	return ended(m.m.Steps(-n))
}

// Goto goes to the version, up or down.
func (m *Migrator) Goto(version uint) error {
	if version == 0 {
		return m.Down(0)
	}
	return ended(m.m.Migrate(version))
}

// Force records the version as the current one without running anything: the way out after a migration that broke off
// and was put right by hand. 0 is no version at all.
func (m *Migrator) Force(version int) error {
	if version == 0 {
		version = database.NilVersion
	}
	return ended(m.m.Force(version))
}

// Version is the current version, 0 when there is none, and whether a migration to it broke off.
func (m *Migrator) Version() (version int64, dirty bool, err error) {
	current, dirty, err := m.m.Version()
	if errors.Is(err, migrate.ErrNilVersion) {
		return 0, false, nil
	}
	return int64(current), dirty, ended(err) //nolint:gosec // Versions are small numbers.
}

// ended takes for the success it is that there was nothing (more) to do, and says of a broken migration what to do.
func ended(err error) error {
	var dirty migrate.ErrDirty
	var short migrate.ErrShortLimit
	switch {
	case err == nil, errors.Is(err, migrate.ErrNoChange), errors.Is(err, fs.ErrNotExist), errors.As(err, &short):
		return nil
	case errors.As(err, &dirty):
		return fmt.Errorf("migration %d broke off: each one is a single transaction, so nothing of it has stayed; "+
			"run \"support migrate force %d\" and then \"support migrate up\"", dirty.Version, dirty.Version-1)
	default:
		return translate(err)
	}
}

// LatestVersion is the version that this program's migrations lead to.
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
