//go:build linux || darwin

package pgembed

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// tailLines is the maximum number of lines of a log in an error message.
const tailLines = 12

// serverLog is the file that the server writes its log to.
type serverLog struct {
	*os.File
	// start is where the log of the last launch begins.
	start int64
}

// openLog creates the file. That of the run before is kept under another name.
func openLog(path string) (*serverLog, error) {
	if err := os.Rename(path, path+".old"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR|os.O_APPEND, 0o600)
	return &serverLog{File: file}, err
}

// begin begins the log of a launch.
func (l *serverLog) begin() error {
	info, err := l.Stat()
	if err == nil {
		l.start = info.Size()
	}
	return err
}

// text is what the server has written since its launch.
func (l *serverLog) text() string {
	text, _ := io.ReadAll(io.NewSectionReader(l, l.start, 1<<20)) // What cannot be read is missing.
	return string(text)
}

// explain adds the last lines to an error, and where there are more of them.
func (l *serverLog) explain(err error) error {
	return fmt.Errorf("%w; the last lines of %s:\n%s", err, l.Name(), lastLines(l.text()))
}

// lastLines is the end of a text, short enough for an error message.
func lastLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}
