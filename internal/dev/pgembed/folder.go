//go:build linux || darwin

package pgembed

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"github.com/supportbackend/support/internal/dev/pgembed/programs"
)

// superuser is the role that initdb creates and URL names.
const superuser = "support"

// folderMode is the mode of the folders around the data: open to the server's account. The data itself is not.
const folderMode = 0o755

// folder is where the data of one major version is: a subfolder of Options.Dir that appears complete, by one rename, or not
// at all.
type folder struct {
	base  string
	major int
}

func (f folder) path() string     { return filepath.Join(f.base, strconv.Itoa(f.major)) }
func (f folder) lock() string     { return filepath.Join(f.base, "lock") }
func (f folder) data() string     { return filepath.Join(f.path(), "data") }
func (f folder) password() string { return filepath.Join(f.path(), "password") }
func (f folder) log() string      { return filepath.Join(f.path(), "server.log") }

// prepare makes sure that the folder holds a cluster of its major version, and returns its password. The lock must be held.
func (f folder) prepare(ctx context.Context, bin programs.Programs, who account, o Options) (password string, err error) {
	// What an interrupted initdb has left behind may lack its passwords.
	leftovers, err := filepath.Glob(f.path() + ".init-*")
	for _, leftover := range leftovers {
		err = errors.Join(err, removeFolder(leftover))
	}
	if err != nil {
		return "", err
	}
	_, err = os.Stat(f.path())
	if errors.Is(err, fs.ErrNotExist) {
		if others := f.otherMajors(); len(others) > 0 {
			o.tell("Starting with an empty database, because PostgreSQL %s cannot read the data of version %s, which stays in %s.",
				bin.Version, strings.Join(others, " and "), f.base)
		}
		o.tell("Creating a PostgreSQL %s database in %s.", bin.Version, f.path())
		err = f.create(ctx, bin, who, o)
	}
	if err != nil {
		return "", err
	}
	return f.check()
}

// check returns the password of the cluster, and refuses a folder that this package did not create.
func (f folder) check() (password string, err error) {
	version, versionErr := os.ReadFile(filepath.Join(f.data(), "PG_VERSION"))
	text, passwordErr := os.ReadFile(f.password())
	if err := errors.Join(versionErr, passwordErr); err != nil || len(text) == 0 {
		return "", errors.Join(fmt.Errorf("%s holds no database of this program: move it away", f.path()), err)
	}
	if found := strings.TrimSpace(string(version)); found != strconv.Itoa(f.major) {
		return "", fmt.Errorf("%s holds data of PostgreSQL %s: move it away", f.path(), found)
	}
	return string(text), nil
}

// lastPort returns the port of the last run, so that saved URLs stay valid, or 0 if there was none.
func (f folder) lastPort() int {
	// The server writes its command line to this file.
	text, _ := os.ReadFile(filepath.Join(f.data(), "postmaster.opts"))
	match := portOption.FindSubmatch(text)
	if match == nil {
		return 0
	}
	port, _ := strconv.Atoi(string(match[1])) // It has digits only.
	return port
}

var portOption = regexp.MustCompile(`"-p" "(\d{1,5})"`)

// otherMajors are the versions whose data is in the same base folder.
func (f folder) otherMajors() (majors []string) {
	// Glob fails only on a malformed pattern.
	found, _ := filepath.Glob(filepath.Join(f.base, "*", "data", "PG_VERSION"))
	for _, path := range found {
		majors = append(majors, filepath.Base(filepath.Dir(filepath.Dir(path))))
	}
	return majors
}

// create copies the template or runs initdb, in a temporary sibling, and renames that when it is complete.
func (f folder) create(ctx context.Context, bin programs.Programs, who account, o Options) error {
	temp, err := os.MkdirTemp(f.base, filepath.Base(f.path())+".init-*")
	if err != nil {
		return err
	}
	template := filepath.Join(o.Template, strconv.Itoa(f.major))
	if _, missing := os.Stat(template); o.Template != "" && missing == nil {
		err = copyFolder(ctx, template, temp)
	} else {
		err = initialize(ctx, temp, bin, who, o)
	}
	if err == nil {
		err = os.Rename(temp, f.path())
	}
	if err != nil {
		err = errors.Join(err, os.RemoveAll(temp))
	}
	return err
}

// copyFolder copies what is in a folder to another one, with its owners.
func copyFolder(ctx context.Context, from, to string) error {
	output, err := exec.CommandContext(ctx, "cp", "-a", from+"/.", to).CombinedOutput()
	if err != nil {
		return fmt.Errorf("copy %s: %w: %s", from, err, output)
	}
	return nil
}

// initialize runs initdb for the data folder in temp.
func initialize(ctx context.Context, temp string, bin programs.Programs, who account, o Options) error {
	password := filepath.Join(temp, "password")
	err := errors.Join(os.Chmod(temp, folderMode), writeSynced(password, rand.Text()), who.own(password))
	if err != nil {
		return err
	}
	auth := "scram-sha-256"
	if o.Trust {
		auth = "trust"
	}
	args := []string{"-U", superuser, "--auth=" + auth, "--pwfile=" + password, "-E", "UTF8"}
	if o.Unsafe || o.Dir == "" {
		// Small files of the write-ahead log, in MB, are quick to make and to copy.
		args = append(args, "--no-sync", "--wal-segsize=1")
	}
	data := filepath.Join(temp, "data")
	output, err := initdb(ctx, bin, who, data, append(args, "--locale=C.UTF-8")...)
	if err != nil && ctx.Err() == nil && strings.Contains(output, "locale") {
		// Older systems, among them macOS before 15, lack this locale.
		output, err = initdb(ctx, bin, who, data, append(args, "--locale=C")...)
	}
	if err != nil {
		return fmt.Errorf("initdb: %w; its last lines:\n%s", err, lastLines(output))
	}
	return nil
}

// initdb runs initdb once, in an empty data folder, and returns what it wrote.
func initdb(ctx context.Context, bin programs.Programs, who account, data string, args ...string) (string, error) {
	if err := errors.Join(os.RemoveAll(data), os.Mkdir(data, 0o700), who.own(data)); err != nil {
		return "", err
	}
	// Linux ties the child to the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	output, err := command(ctx, who, bin.Path("initdb"), append(args, "-D", data)...).CombinedOutput()
	return string(output), err
}

// writeSynced writes a secret so that a power cut cannot leave the file empty.
func writeSynced(path, text string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Sync(), file.Close())
}
