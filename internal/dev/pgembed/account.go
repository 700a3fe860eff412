//go:build linux || darwin

package pgembed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is who the server runs as. The zero value is the current user; with a name it is another one, for root.
type account struct {
	name     string
	uid, gid uint32
}

// serverAccount is the current user, or for root the owner of the existing data folder, or else the first of postgres and
// nobody that exists.
func serverAccount(data string) (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	if info, err := os.Stat(data); err == nil {
		uid, gid := ownerOf(info)
		if uid == 0 {
			return account{}, fmt.Errorf("%s belongs to root, and PostgreSQL does not run as root", data)
		}
		return account{name: userName(uid), uid: uid, gid: gid}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		// macOS numbers nobody -2, which the system takes as an unsigned number.
		uid, uidErr := strconv.ParseInt(found.Uid, 10, 64)
		gid, gidErr := strconv.ParseInt(found.Gid, 10, 64)
		return account{name: name, uid: uint32(uid), gid: uint32(gid)}, errors.Join(uidErr, gidErr) //nolint:gosec // See above.
	}
	return account{}, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody")
}

func (a account) isOther() bool { return a.name != "" }

func (a account) credential() *syscall.Credential {
	if !a.isOther() {
		return nil
	}
	return &syscall.Credential{Uid: a.uid, Gid: a.gid}
}

// own hands a file or folder to the account.
func (a account) own(path string) error {
	if !a.isOther() {
		return nil
	}
	return os.Lchown(path, int(a.uid), int(a.gid))
}

// mayEnter reports a folder that is closed to the account: the programs' own messages about this are hard to understand.
func (a account) mayEnter(ctx context.Context, dir string) error {
	if a.isOther() && command(ctx, a, "/bin/sh", "-c", `cd -- "$0"`, dir).Run() != nil {
		return fmt.Errorf("user %s, who runs the server for root, may not enter %s: open it and the folders above it", a.name, dir)
	}
	return nil
}

// makeFolder creates a folder and its missing parents, open to the server's account whatever the umask says, and refuses one
// of somebody else. As root this keeps its owner from leading root's file operations elsewhere by means of links.
func makeFolder(dir string) error {
	if err := makeParents(dir); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if uid, _ := ownerOf(info); int(uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %s: run as that user or choose another folder", dir, userName(uid))
	}
	return nil
}

func makeParents(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := makeParents(filepath.Dir(dir)); err != nil {
		return err
	}
	err := os.Mkdir(dir, folderMode)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	return errors.Join(err, os.Chmod(dir, folderMode))
}

func ownerOf(info os.FileInfo) (uid, gid uint32) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		panic("pgembed: file information without an owner")
	}
	return stat.Uid, stat.Gid
}

func userName(uid uint32) string {
	number := strconv.FormatUint(uint64(uid), 10)
	if found, err := user.LookupId(number); err == nil {
		return found.Username
	}
	return number
}
