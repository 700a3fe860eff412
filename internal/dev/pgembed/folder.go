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
	"strconv"
	"strings"
)

// superuser is the role that initdb creates and URL names.
const superuser = "support"

// folder is where the data of one major version is: a subfolder of Options.Dir that appears complete, by one rename, or not
// at all.
type folder struct {
	base  string
	major int
}

func (f folder) path() string     { return filepath.Join(f.base, strconv.Itoa(f.major)) }
func (f folder) lock() string     { return f.path() + ".lock" }
func (f folder) data() string     { return filepath.Join(f.path(), "data") }
func (f folder) password() string { return filepath.Join(f.path(), "password") }
func (f folder) log() string      { return filepath.Join(f.path(), "server.log") }
func (f folder) port() string     { return filepath.Join(f.path(), "port") }

// prepare makes sure that the folder holds a cluster of its major version, and returns its password. The lock must be held.
func (f folder) prepare(ctx context.Context, programs binaries, who account, o Options) (password string, err error) {
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
				programs.version, strings.Join(others, " and "), f.base)
		}
		o.tell("Creating a PostgreSQL %s database in %s.", programs.version, f.path())
		err = f.create(ctx, programs, who, o)
	}
	if err != nil {
		return "", err
	}
	return f.check()
}

// check returns the password of the cluster, and refuses a folder that this package did not make.
func (f folder) check() (password string, err error) {
	version, versionErr := os.ReadFile(filepath.Join(f.data(), "PG_VERSION"))
	text, passwordErr := os.ReadFile(f.password())
	if err := errors.Join(versionErr, passwordErr); err != nil || len(text) == 0 {
		return "", errors.Join(fmt.Errorf("%s holds no database made by this program, move it away", f.path()), err)
	}
	if found := strings.TrimSpace(string(version)); found != strconv.Itoa(f.major) {
		return "", fmt.Errorf("%s holds data of PostgreSQL %s, move it away", f.path(), found)
	}
	return string(text), nil
}

// lastPort returns the port of the last run, so that saved URLs stay valid, or 0 if it is unknown.
func (f folder) lastPort() int {
	text, err := os.ReadFile(f.port())
	if err != nil {
		return 0
	}
	port, err := strconv.ParseUint(string(text), 10, 16)
	if err != nil {
		return 0
	}
	return int(port)
}

func (f folder) keepPort(port int) error {
	return os.WriteFile(f.port(), []byte(strconv.Itoa(port)), 0o600)
}

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
func (f folder) create(ctx context.Context, programs binaries, who account, o Options) (err error) {
	temp, err := os.MkdirTemp(f.base, filepath.Base(f.path())+".init-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(temp))
		}
	}()
	template := filepath.Join(o.Template, strconv.Itoa(f.major))
	if _, missing := os.Stat(template); o.Template != "" && missing == nil {
		if err := copyFolder(ctx, template, temp); err != nil {
			return err
		}
		return os.Rename(temp, f.path())
	}
	if err := f.initialize(ctx, temp, programs, who, o); err != nil {
		return err
	}
	return os.Rename(temp, f.path())
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
func (f folder) initialize(ctx context.Context, temp string, programs binaries, who account, o Options) error {
	password := filepath.Join(temp, "password")
	if err := errors.Join(os.Chmod(temp, who.folderMode()), writeSynced(password, rand.Text()), who.own(password)); err != nil {
		return err
	}
	data := filepath.Join(temp, "data")
	auth := "scram-sha-256"
	if o.Trust {
		auth = "trust"
	}
	args := []string{"-D", data, "-U", superuser, "--auth=" + auth, "--pwfile=" + password, "-E", "UTF8"}
	if o.Unsafe || o.Dir == "" {
		args = append(args, "--no-sync")
	}
	output, err := initdb(ctx, programs, who, data, append(args, "--locale=C.UTF-8"))
	if err != nil && ctx.Err() == nil && strings.Contains(output, "locale") {
		// Older systems, among them macOS before 15, lack this locale.
		output, err = initdb(ctx, programs, who, data, append(args, "--locale=C"))
	}
	if err != nil {
		return fmt.Errorf("initdb: %w; its last lines:\n%s", err, lastLines(output))
	}
	return nil
}

// initdb runs initdb once, in an empty data folder, and returns what it wrote.
func initdb(ctx context.Context, programs binaries, who account, data string, args []string) (string, error) {
	if err := errors.Join(os.RemoveAll(data), os.Mkdir(data, 0o700), who.own(data)); err != nil {
		return "", err
	}
	var output strings.Builder
	p, err := startProcess(who, &output, programs.program("initdb"), args...)
	if err != nil {
		return "", err
	}
	err = p.succeed(ctx)
	return output.String(), err
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
