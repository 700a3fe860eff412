package storetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/db"
	"github.com/supportbackend/support/internal/dev/pgembed"
	"github.com/supportbackend/support/internal/store"
)

var shared struct {
	mu       sync.Mutex
	server   *pgembed.Server
	admin    string
	template string
	forget   func()
}

// prepare returns the server's address and the name of the migrated template. The first call creates both.
func prepare(t testing.TB) (admin, template string) {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.template == "" {
		shared.admin = startServer(t)
		shared.forget = keepPool(t, shared.admin)
		shared.template = migrateTemplate(t, shared.admin)
	}
	return shared.admin, shared.template
}

// settings suit many small temporary databases: a minimal write-ahead log, no vacuum, and no log of the errors that tests
// provoke. Statements are planned as in production: generic plans would save less than a tenth of the tests' time.
var settings = map[string]string{
	"max_connections": "500", "shared_buffers": "64MB", "autovacuum": "off", "jit": "off",
	"wal_level": "minimal", "max_wal_senders": "0", "max_wal_size": "256MB",
	"checkpoint_timeout": "1h", "log_min_messages": "log",
}

func startServer(t testing.TB) string {
	t.Helper()
	if databaseURL := os.Getenv("TEST_DATABASE_URL"); databaseURL != "" {
		return databaseURL
	}
	server, err := pgembed.Start(context.Background(), pgembed.Options{
		Template: Files(t), Temp: MemoryDir(), Unsafe: true, Trust: true, Settings: settings,
	})
	require.NoError(t, err)
	shared.server = server
	return server.URL("postgres")
}

// templateLife is how long unused files of a migrated server are kept.
const templateLife = 24 * time.Hour

// Files returns the directory of a server that has stopped, to copy: creating it takes a second, copying it a tenth of
// that. The template and the database postgres are migrated. It returns "" where no files can be kept.
func Files(t testing.TB) string {
	t.Helper()
	base, err := pgembed.DefaultDir()
	if err != nil {
		return ""
	}
	base += "-tests"
	dir, now := filepath.Join(base, "migrated-"+migrationsHash(t)), time.Now()
	if os.Chtimes(dir, now, now) == nil {
		return dir
	}
	unfinished := dir + "-" + randomName()
	server, err := pgembed.Start(context.Background(), pgembed.Options{
		Dir: unfinished, Unsafe: true, Trust: true, Settings: settings,
	})
	if err != nil {
		t.Log("no files of a migrated server are kept:", err)
		return ""
	}
	template := migrateTemplate(t, server.URL("postgres"))
	Exec(t, server.URL("template1"), "DROP DATABASE postgres")
	Exec(t, server.URL("template1"), "CREATE DATABASE postgres TEMPLATE "+template)
	require.NoError(t, server.Stop())
	if os.Rename(unfinished, dir) != nil {
		require.NoError(t, os.RemoveAll(unfinished)) // Another test binary was first.
	}
	others, err := os.ReadDir(base)
	require.NoError(t, err)
	for _, other := range others {
		if info, err := other.Info(); err == nil && now.Sub(info.ModTime()) > templateLife {
			_ = os.RemoveAll(filepath.Join(base, other.Name()))
		}
	}
	return dir
}

// migrateTemplate creates the template unless another test binary has created it on the same server. Its name depends
// on the migrations, so changed migrations create a new one.
func migrateTemplate(t testing.TB, admin string) string {
	t.Helper()
	name := "support_template_" + migrationsHash(t)
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, admin)
	require.NoError(t, err)
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, "SELECT pg_advisory_lock(hashtext($1))", name)
	require.NoError(t, err)
	var exists bool
	err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1 AND datistemplate)", name).Scan(&exists)
	require.NoError(t, err)
	if exists {
		return name
	}
	// A database that is not marked as a template is incomplete.
	_, err = conn.Exec(ctx, "DROP DATABASE IF EXISTS "+name)
	require.NoError(t, err)
	_, err = conn.Exec(ctx, "CREATE DATABASE "+name)
	require.NoError(t, err)
	m, err := store.OpenMigrator(withDatabase(t, admin, name))
	require.NoError(t, err)
	require.NoError(t, m.Up())
	require.NoError(t, m.Close())
	// The first connection writes a cache of the catalog to a file, which the clones copy.
	_, hangUp := connect(t, withDatabase(t, admin, name))
	hangUp()
	_, err = conn.Exec(ctx, "ALTER DATABASE "+name+" WITH IS_TEMPLATE true")
	require.NoError(t, err)
	return name
}

func migrationsHash(t testing.TB) string {
	t.Helper()
	names, err := fs.Glob(db.Migrations, "migrations/*.up.sql")
	require.NoError(t, err)
	var all strings.Builder
	for _, name := range names {
		text, err := fs.ReadFile(db.Migrations, name)
		require.NoError(t, err)
		fmt.Fprintf(&all, "%s\n%s\n", name, text)
	}
	sum := sha256.Sum256([]byte(all.String()))
	return hex.EncodeToString(sum[:8])
}

func stop() error {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.forget != nil {
		shared.forget()
	}
	if shared.server == nil {
		return nil
	}
	return shared.server.Stop()
}
