//go:build linux || darwin

package pgembed

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/dev/pgembed/programs"
)

// bareMachine returns an environment without PostgreSQL programs.
func bareMachine(t *testing.T, repository http.HandlerFunc) environment {
	t.Helper()
	server := httptest.NewServer(repository)
	t.Cleanup(server.Close)
	e := isolated(t)
	e.finder = programs.Finder{Root: e.temp, Downloads: filepath.Join(e.temp, "cache"), Getenv: func(string) string { return "" }}
	e.repository = server.URL
	return e
}

func TestProgramsAreDownloadedWhereThereAreNone(t *testing.T) {
	t.Parallel()
	asked := false
	e := bareMachine(t, func(w http.ResponseWriter, r *http.Request) {
		asked = true
		http.NotFound(w, r)
	})
	var told []string
	_, err := e.start(t.Context(), Options{Progress: func(sentence string) { told = append(told, sentence) }})
	require.True(t, asked)
	require.ErrorIs(t, err, ErrNoBinaries)
	require.ErrorContains(t, err, "404")
	require.ErrorContains(t, err, "DATABASE_URL")
	require.Len(t, told, 1)
	require.Contains(t, told[0], "Downloading PostgreSQL")
}

func TestDownloadEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	e := bareMachine(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel(enough)
		<-r.Context().Done()
	})
	_, err := e.start(ctx, Options{})
	require.ErrorIs(t, err, enough)
}
