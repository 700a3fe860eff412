//go:build linux || darwin

package pgembed

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
)

const (
	tailBytes = 4096
	tailLines = 12
)

// serverLog passes the server's output on and remembers its end.
type serverLog struct {
	out  io.Writer
	file *os.File // what out is when this package opened it

	mu   sync.Mutex
	tail []byte
}

// openLog passes the output on to the writer, or to the file when there is no writer. The file of the run before is kept
// under another name.
func openLog(path string, w io.Writer) (*serverLog, error) {
	if w != nil {
		return &serverLog{out: w}, nil
	}
	if err := os.Rename(path, path+".old"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &serverLog{out: file, file: file}, nil
}

func (l *serverLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	l.tail = append(l.tail, p...)
	if extra := len(l.tail) - tailBytes; extra > 0 {
		l.tail = append([]byte(nil), l.tail[extra:]...)
	}
	l.mu.Unlock()
	return l.out.Write(p)
}

// forget drops the text that was written so far.
func (l *serverLog) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail = nil
}

func (l *serverLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.tail)
}

// explain adds the last lines to an error, and where there are more of them.
func (l *serverLog) explain(err error) error {
	where := "its last lines"
	if l.file != nil {
		where = "the last lines of " + l.file.Name()
	}
	lines := lastLines(l.text())
	if lines == "" {
		lines = "(nothing)"
	}
	return fmt.Errorf("%w; %s:\n%s", err, where, lines)
}

func (l *serverLog) close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

// lastLines is the end of a text, short enough for an error message.
func lastLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}
