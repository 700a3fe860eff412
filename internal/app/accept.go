package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"
)

const (
	// acceptLogInterval is the shortest time between two log lines about connections that cannot be accepted. The server
	// tries again up to 200 times a second.
	acceptLogInterval = time.Minute
	// filesBesideStreams is how many files the server may need besides one for each stream: for other requests, the
	// database, the AI server and webhooks.
	filesBesideStreams = 1000
)

// acceptLog logs why connections cannot be accepted. http.Server would do so only with errors that any client can cause.
type acceptLog struct {
	net.Listener
	logger *slog.Logger
	logged time.Time
}

// Accept is called by one goroutine at a time.
func (l *acceptLog) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil && !errors.Is(err, net.ErrClosed) && time.Since(l.logged) >= acceptLogInterval {
		l.logged = time.Now()
		l.logger.Error("connection not accepted", slog.Any("error", err))
	}
	return conn, err //nolint:wrapcheck // http.Server looks for temporary errors.
}

// checkFiles warns when the process may not open enough files for its streams.
func (a *App) checkFiles(ctx context.Context) {
	files, known := openFiles()
	if !known || files >= uint64(a.maxStreams)+filesBesideStreams { //nolint:gosec // It is positive.
		return
	}
	a.logger.WarnContext(ctx, "open files", slog.String("warning", fmt.Sprintf(
		"the process may open %d files, too few for %d streams: raise the limit (ulimit -n, LimitNOFILE), or lower SUPPORT_MAX_STREAMS",
		files, a.maxStreams)))
}
