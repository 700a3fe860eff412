//go:build linux || darwin

package store_test

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/dev/pgembed"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// pair is a primary and its streaming standby.
type pair struct{ primary, standby string }

func newPair(t *testing.T) pair {
	t.Helper()
	dir, err := os.MkdirTemp(storetest.MemoryDir(), "support-switch-*")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755)) // The database's user must be able to enter the directory.
	one, other := filepath.Join(dir, "one"), filepath.Join(dir, "other")
	first := startAt(t, one, nil)
	require.NoError(t, first.Stop())
	// A copy of a stopped server becomes its standby with standby.signal.
	require.NoError(t, exec.CommandContext(t.Context(), "cp", "-a", one, other).Run())
	data, err := filepath.Glob(filepath.Join(other, "*", "data"))
	require.NoError(t, err)
	require.Len(t, data, 1)
	info, err := os.Stat(data[0])
	require.NoError(t, err)
	signal := filepath.Join(data[0], "standby.signal")
	require.NoError(t, os.WriteFile(signal, nil, 0o600))
	stat, ok := info.Sys().(*syscall.Stat_t)
	require.True(t, ok)
	require.NoError(t, os.Chown(signal, int(stat.Uid), int(stat.Gid)))

	primary := startAt(t, one, nil)
	standby := startAt(t, other, map[string]string{"primary_conninfo": primary.URL("postgres")})
	p := pair{primary: primary.URL("postgres"), standby: standby.URL("postgres")}
	require.NoError(t, openMigrator(t, p.primary).Up())
	p.awaitStandby(t)
	return p
}

// awaitStandby waits until the standby has caught up.
func (p pair) awaitStandby(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		return storetest.QueryInt(t, p.primary, "SELECT count(*) FROM pg_stat_replication WHERE replay_lsn = pg_current_wal_lsn()") == 1
	}, patience, patience/1000)
}

func startAt(t *testing.T, dir string, settings map[string]string) *pgembed.Server {
	t.Helper()
	server, err := pgembed.Start(t.Context(), pgembed.Options{
		Dir: dir, Template: storetest.Files(t), Unsafe: true, Settings: settings,
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Stop() })
	return server
}

// change promotes the standby. The old primary continues, but refuses writes in all its sessions.
func (p pair) change(t *testing.T) {
	t.Helper()
	storetest.Exec(t, p.primary, "ALTER SYSTEM SET default_transaction_read_only = on")
	storetest.Exec(t, p.primary, "SELECT pg_reload_conf()")
	require.Eventually(t, func() bool {
		return storetest.QueryText(t, p.primary, "SHOW transaction_read_only") == "on"
	}, patience, patience/1000)
	storetest.Exec(t, p.standby, "SELECT pg_promote()")
	require.Equal(t, "off", storetest.QueryText(t, p.standby, "SHOW transaction_read_only"))
}

// both returns a URL with both hosts.
func (p pair) both(t *testing.T) string {
	t.Helper()
	other, err := url.Parse(p.standby)
	require.NoError(t, err)
	return changed(t, p.primary, func(u *url.URL) {
		u.Host = u.Host + "," + other.Host
		u.RawQuery += "&target_session_attrs=read-write"
	})
}

func requireReadOnly(t *testing.T, s *store.Store) {
	t.Helper()
	err := s.Ready(t.Context())
	require.True(t, apperr.Is(err, apperr.DBUnavailable), "%v", err)
	require.ErrorContains(t, err, "server is read-only")
	_, err = s.CreateUser(t.Context(), newUser("ada@example.com"))
	require.True(t, apperr.Is(err, apperr.DBUnavailable), "%v", err)
	_, err = s.ListTicketsByUser(t.Context(), sqlc.ListTicketsByUserParams{UserID: uuid.New(), MaxRows: 1})
	require.NoError(t, err, "reads continue")
}

func TestStoreFollowsASwitchover(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	requireReadOnly(t, storetest.Open(t, p.standby))
	relay := storetest.NewRelay(t, p.primary)
	// One address that is redirected afterwards, and a list of hosts.
	stores := []*store.Store{storetest.Open(t, relay.URL), storetest.Open(t, p.both(t))}
	write := func(s *store.Store) error {
		_, err := s.CreateUser(t.Context(), newUser(uuid.NewString()+"@example.com"))
		return err
	}
	for _, s := range stores {
		for _, err := range crowd(t, 8, func() error { return write(s) }) {
			require.NoError(t, err)
		}
	}
	p.awaitStandby(t)
	p.change(t)
	relay.Lead(t, p.standby)
	before := storetest.QueryInt(t, p.standby, "SELECT count(*) FROM users")
	require.Equal(t, 16, before)
	for _, s := range stores {
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if err := write(s); err != nil {
					t.Error("a write reached the old primary:", err)
				}
			})
		}
		wg.Wait()
		require.NoError(t, s.Ready(t.Context()))
	}
	require.Equal(t, before+40, storetest.QueryInt(t, p.standby, "SELECT count(*) FROM users"))
	require.NoError(t, openMigrator(t, p.both(t)).Up(), "migrations find the primary too")
}
