//go:build unix

package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/supportbackend/support/gen/client"
)

// sessionFile keeps a session in a file that all processes of a machine can share.
type sessionFile string

// Update locks the session, so that only one process at a time reads, changes and replaces the file.
func (f sessionFile) Update(_ context.Context, change func(client.AccessToken) (client.AccessToken, error)) error {
	lock, err := os.OpenFile(string(f)+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }() // Closing the file unlocks it, and so does the end of the process.
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	var tokens client.AccessToken
	stored, err := os.ReadFile(string(f))
	if err == nil {
		err = json.Unmarshal(stored, &tokens)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	next, err := change(tokens)
	if err != nil || next == tokens {
		return err
	}
	if stored, err = json.Marshal(next); err != nil {
		return err
	}
	if err := os.WriteFile(string(f)+".new", stored, 0o600); err != nil {
		return err
	}
	return os.Rename(string(f)+".new", string(f))
}

// home is the directory of the session file.
var home string

func TestMain(m *testing.M) {
	home, _ = os.MkdirTemp("", "")
	defer func() { _ = os.RemoveAll(home) }()
	m.Run()
}

func ExampleSessionStore() {
	serve("log-in")
	session := sessionFile(filepath.Join(home, "session.json"))
	support, err := client.New(client.WithSessionStore(session))
	if err != nil {
		log.Fatal(err)
	}
	tokens, err := support.LogIn(ctx, client.LogInRequest{Email: "ada@example.com", Password: "correct horse battery"})
	if err != nil {
		log.Fatal(err)
	}
	err = session.Update(ctx, func(client.AccessToken) (client.AccessToken, error) { return *tokens, nil })
	fmt.Println(err)
	// Output: <nil>
}
