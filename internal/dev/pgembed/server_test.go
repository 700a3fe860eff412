//go:build linux || darwin

package pgembed

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func TestDataSurvivesARestart(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(openDir(t), "new", "folder")
	var told []string
	options := Options{Dir: dir, Progress: func(sentence string) { told = append(told, sentence) }}

	first := startServer(t, isolated(t), options)
	require.Len(t, told, 1)
	require.Contains(t, told[0], first.Dir())
	execute(t, first.URL(""), "CREATE TABLE kept AS SELECT 'still here' AS word")
	require.Equal(t, "UTF8", queryText(t, first.URL(""), "SHOW server_encoding"))
	require.Equal(t, first.Version(), strings.Fields(queryText(t, first.URL(""), "SHOW server_version"))[0])
	require.NoError(t, first.Stop())
	require.NoError(t, first.Stop(), "a second Stop does nothing")
	<-first.Done()

	second := startServer(t, isolated(t), options)
	require.Len(t, told, 1, "the second start reports no slow step")
	require.Equal(t, "still here", queryText(t, second.URL(""), "SELECT word FROM kept"))
	require.NoError(t, second.Stop())
	require.FileExists(t, filepath.Join(second.Dir(), "server.log"))
	require.FileExists(t, filepath.Join(second.Dir(), "server.log.old"))
}

func TestServerStartsWithTheDataOfItsTemplate(t *testing.T) {
	t.Parallel()
	e := quick(t)
	template := openDir(t)
	first := startServer(t, e, Options{Dir: template, Unsafe: true})
	execute(t, first.URL(""), "CREATE TABLE kept AS SELECT 'still here' AS word")
	require.NoError(t, first.Stop())
	for range 2 {
		s := startServer(t, e, Options{Template: template, Unsafe: true})
		require.Equal(t, "still here", queryText(t, s.URL(""), "SELECT word FROM kept"))
		execute(t, s.URL(""), "DROP TABLE kept")
		require.NoError(t, s.Stop())
	}
	requireEmpty(t, e.temp)
}

func TestTemplateOfAnotherMajorVersionIsNotCopied(t *testing.T) {
	t.Parallel()
	s := startServer(t, quick(t), Options{Template: openDir(t), Unsafe: true})
	require.Equal(t, "postgres", queryText(t, s.URL(""), "SELECT current_database()"))
}

func TestTemporaryDirectoryIsRemoved(t *testing.T) {
	t.Parallel()
	e := quick(t)
	s := startServer(t, e, Options{Unsafe: true})
	require.DirExists(t, s.Dir())
	require.Equal(t, "off", queryText(t, s.URL(""), "SHOW fsync"))
	require.NoError(t, s.Stop())
	requireEmpty(t, e.temp)
}

func TestManyTemporaryServers(t *testing.T) {
	t.Parallel()
	e := quick(t)
	var group sync.WaitGroup
	failures := make([]error, 4)
	for i := range failures {
		group.Go(func() {
			s, err := e.start(t.Context(), Options{Unsafe: true})
			if err == nil {
				err = s.Stop()
			}
			failures[i] = err
		})
	}
	group.Wait()
	for _, err := range failures {
		require.NoError(t, err)
	}
	requireEmpty(t, e.temp)
}

func TestServerIsPrivate(t *testing.T) {
	t.Parallel()
	s := startServer(t, quick(t), Options{Unsafe: true, Settings: map[string]string{"max_connections": "17"}})
	require.Equal(t, "127.0.0.1", queryText(t, s.URL(""), "SHOW listen_addresses"))
	require.Empty(t, queryText(t, s.URL(""), "SHOW unix_socket_directories"))
	require.Equal(t, "17", queryText(t, s.URL(""), "SHOW max_connections"))
	require.Equal(t, "0", queryText(t, s.URL(""), "SELECT count(*)::text FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'"))

	address, err := url.Parse(s.URL("a b"))
	require.NoError(t, err)
	require.Equal(t, "/a b", address.Path)
	address, err = url.Parse(s.URL(""))
	require.NoError(t, err)
	address.User = url.UserPassword(superuser, "wrong")
	_, err = pgx.Connect(t.Context(), address.String())
	require.ErrorContains(t, err, "password authentication failed")

	info, err := os.Stat(s.folder.password())
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())

	group, err := syscall.Getpgid(s.process.cmd.Process.Pid)
	require.NoError(t, err)
	require.NotEqual(t, syscall.Getpgrp(), group, "Ctrl-C must not reach the server")
}

func TestFolderInUse(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	var mu sync.Mutex
	var winners []*Server
	var losers []error
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			s, err := quick(t).start(t.Context(), Options{Dir: dir, Unsafe: true})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				losers = append(losers, err)
				return
			}
			winners = append(winners, s)
		})
	}
	group.Wait()
	require.Len(t, winners, 1)
	require.Len(t, losers, 2)
	for _, err := range losers {
		require.ErrorIs(t, err, ErrInUse)
		require.ErrorContains(t, err, "already in use by process")
	}
	require.Equal(t, "1", queryText(t, winners[0].URL(""), "SELECT '1'"))
	require.NoError(t, winners[0].Stop())
}

func TestLeftoverServerIsNamed(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	e := quick(t)
	e.limits.leftover = 20 * time.Millisecond
	first := startServer(t, e, Options{Dir: dir, Unsafe: true})
	// As if the parent had been killed and its children had survived.
	require.NoError(t, first.lock.release())

	_, err := e.start(t.Context(), Options{Dir: dir, Unsafe: true})
	require.ErrorIs(t, err, ErrInUse)
	require.ErrorContains(t, err, fmt.Sprintf("by process %d", first.process.cmd.Process.Pid))
	require.Equal(t, "1", queryText(t, first.URL(""), "SELECT '1'"), "the running server continues")
}

func TestRecoversAfterAKilledServer(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	first := startServer(t, quick(t), Options{Dir: dir})
	execute(t, first.URL(""), "CREATE TABLE kept AS SELECT 'still here' AS word")
	require.NoError(t, first.process.cmd.Process.Kill())
	<-first.Done()
	require.NoError(t, first.Stop())
	require.FileExists(t, filepath.Join(first.folder.data(), pidFileName), "the stale file is still there")

	second := startServer(t, quick(t), Options{Dir: dir})
	require.Equal(t, "still here", queryText(t, second.URL(""), "SELECT word FROM kept"))
}

func TestAnotherPortWhenTheFirstIsInUse(t *testing.T) {
	t.Parallel()
	e := quick(t)
	first := startServer(t, e, Options{Unsafe: true})
	ports := []int{first.port, first.port}
	e.freePort = func(ctx context.Context) (int, error) {
		if len(ports) == 0 {
			return freePort(ctx)
		}
		port := ports[0]
		ports = ports[1:]
		return port, nil
	}
	second := startServer(t, e, Options{Unsafe: true})
	require.Empty(t, ports)
	require.NotEqual(t, first.port, second.port)
}

func TestServerKeepsItsPort(t *testing.T) {
	t.Parallel()
	options := Options{Dir: openDir(t), Unsafe: true}
	first := startServer(t, quick(t), options)
	address := first.URL("")
	require.NoError(t, first.Stop())
	second := startServer(t, quick(t), options)
	for range 3 { // Other programs may take the free port in between.
		if second.URL("") == address {
			break
		}
		address = second.URL("")
		require.NoError(t, second.Stop())
		second = startServer(t, quick(t), options)
	}
	require.Equal(t, address, second.URL(""))
	require.Equal(t, "1", queryText(t, address, "SELECT 1::text"))
	require.NoError(t, second.Stop())

	var lc net.ListenConfig
	stranger, err := lc.Listen(t.Context(), "tcp4", "127.0.0.1:"+strconv.Itoa(second.port))
	for range 3 { // Here, too.
		if err == nil {
			break
		}
		second = startServer(t, quick(t), options)
		require.NoError(t, second.Stop())
		stranger, err = lc.Listen(t.Context(), "tcp4", "127.0.0.1:"+strconv.Itoa(second.port))
	}
	require.NoError(t, err)
	defer func() { _ = stranger.Close() }()
	third := startServer(t, quick(t), options)
	require.NotEqual(t, second.port, third.port, "the port is in use")
	require.Equal(t, "1", queryText(t, third.URL(""), "SELECT 1::text"))
}

func TestStopEscalates(t *testing.T) {
	t.Parallel()
	e := quick(t)
	e.limits.fast, e.limits.immediate = 20*time.Millisecond, 20*time.Millisecond
	s := startServer(t, e, Options{Unsafe: true})
	require.NoError(t, s.process.cmd.Process.Signal(syscall.SIGSTOP))
	require.ErrorContains(t, s.Stop(), "was killed")
	requireEmpty(t, e.temp)
}

func TestErrorsShowTheLog(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	wrong := Options{Dir: dir, Unsafe: true, Settings: map[string]string{"no_such_setting": "1"}}
	_, err := quick(t).start(t.Context(), wrong)
	require.ErrorContains(t, err, `unrecognized configuration parameter "no_such_setting"`)
	require.ErrorContains(t, err, dir)
	require.ErrorContains(t, err, "server.log")
}
