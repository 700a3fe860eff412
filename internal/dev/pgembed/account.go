//go:build linux || darwin

package pgembed

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is who the server runs as. The zero value is the current user.
type account struct {
	name     string
	uid, gid uint32
	switched bool // the current user is root and this is another one
}

// serverAccount is the current user, or for root the owner of the existing data
// folder, or else the first of postgres and nobody that exists.
func serverAccount(data string) (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	if uid, gid, err := owner(data); err == nil {
		if uid == 0 {
			return account{}, fmt.Errorf("%s belongs to root, as which PostgreSQL does not run", data)
		}
		return account{name: userName(uid), uid: uid, gid: gid, switched: true}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		// macOS numbers nobody -2, which the system takes as an unsigned number.
		uid, uidErr := strconv.ParseInt(found.Uid, 10, 64)
		gid, gidErr := strconv.ParseInt(found.Gid, 10, 64)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return account{}, fmt.Errorf("user %s: %w", name, err)
		}
		return account{name: name, uid: uint32(uid), gid: uint32(gid), switched: true}, nil //nolint:gosec // See above.
	}
	return account{}, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody")
}

func (a account) credential() *syscall.Credential {
	if !a.switched {
		return nil
	}
	return &syscall.Credential{Uid: a.uid, Gid: a.gid}
}

// folderMode is for folders on the way to the data: open to the account.
func (a account) folderMode() os.FileMode {
	if a.switched {
		return 0o755
	}
	return 0o700
}

// own hands a file or folder to the account.
func (a account) own(path string) error {
	if !a.switched {
		return nil
	}
	return os.Lchown(path, int(a.uid), int(a.gid))
}

// mayEnter reports the first folder on an absolute path that is closed to the
// account: the programs' own messages about this are hard to understand.
func (a account) mayEnter(path string) error {
	if !a.switched {
		return nil
	}
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	var closed string
	for dir := path; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		uid, gid := ownerOf(info)
		bit := os.FileMode(0o001)
		switch {
		case uid == a.uid:
			bit = 0o100
		case gid == a.gid:
			bit = 0o010
		}
		if info.Mode()&bit == 0 {
			closed = dir
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	if closed != "" {
		return fmt.Errorf("%s cannot be used: user %s, who runs the server for root, may not enter %s", path, a.name, closed)
	}
	return nil
}

// checkFolder refuses a folder of somebody else. As root this keeps its owner
// from leading root's file operations elsewhere by means of links.
func checkFolder(dir string) error {
	uid, _, err := owner(dir)
	if err != nil {
		return err
	}
	if int(uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %s: run as that user or choose another folder", dir, userName(uid))
	}
	return nil
}

// makeFolders creates a folder and its missing parents. Those it creates get
// the mode whatever the umask says.
func makeFolders(dir string, mode os.FileMode) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := makeFolders(filepath.Dir(dir), mode); err != nil {
		return err
	}
	if err := os.Mkdir(dir, mode); err != nil {
		if errors.Is(err, os.ErrExist) {
			return nil
		}
		return err
	}
	return os.Chmod(dir, mode)
}

func owner(path string) (uid, gid uint32, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, 0, err
	}
	uid, gid = ownerOf(info)
	return uid, gid, nil
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
