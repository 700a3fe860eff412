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

// serverLog takes the server's output and knows its last lines. A file is
// handed to the server itself, so that it survives this process; a writer is
// fed by it.
type serverLog struct {
	path  string
	file  *os.File
	start int64 // where the current attempt begins in the file

	writer io.Writer
	mu     sync.Mutex
	tail   []byte
}

// openLog opens the log file, or wraps the writer when there is one. The log
// of the run before is kept under another name, so that two runs are the limit.
func openLog(path string, w io.Writer) (*serverLog, error) {
	if w != nil {
		return &serverLog{writer: w}, nil
	}
	if err := os.Rename(path, path+".old"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return &serverLog{path: path, file: file}, nil
}

// output is what the server writes to.
func (l *serverLog) output() io.Writer {
	if l.file != nil {
		return l.file
	}
	return l
}

// Write passes the output on and remembers its end.
func (l *serverLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	l.tail = append(l.tail, p...)
	if extra := len(l.tail) - tailBytes; extra > 0 {
		l.tail = append([]byte(nil), l.tail[extra:]...)
	}
	l.mu.Unlock()
	return l.writer.Write(p)
}

// mark makes text begin here.
func (l *serverLog) mark() {
	if l.file != nil {
		// A failure shows older lines too, which does no harm.
		if info, err := l.file.Stat(); err == nil {
			l.start = info.Size()
		}
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail = nil
}

// text is the end of the output since mark.
func (l *serverLog) text() string {
	if l.file == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		return string(l.tail)
	}
	info, err := l.file.Stat()
	if err != nil {
		return ""
	}
	begin := max(l.start, info.Size()-tailBytes)
	text, err := io.ReadAll(io.NewSectionReader(l.file, begin, tailBytes))
	if err != nil {
		return ""
	}
	return string(text)
}

// explain adds the last lines and the path to an error.
func (l *serverLog) explain(err error) error {
	where := "its last lines"
	if l.path != "" {
		where = "the last lines of " + l.path
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
