//go:build chaos && linux

// Package chaos breaks a whole installation on purpose and checks that readers of AI answers still see what is
// promised. Each scenario has three server processes, a PostgreSQL, a Groq simulator, and readers that resume with
// Last-Event-ID.
//
// Run it with "task chaos". It prints its figures as JSON. CHAOS_SEED repeats the random choices of an earlier run;
// -run selects scenarios.
package chaos

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// suite is the state that the scenarios of a run share.
var suite struct {
	// dir holds the program and the data of all scenarios, and is removed at the end.
	dir    string
	seed   uint64
	report report
}

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", errors.Join(err, os.RemoveAll(suite.dir)))
		return 1
	}
	go cleanUpOnSignal()
	start := time.Now()
	code := m.Run()
	if err := os.RemoveAll(suite.dir); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		code = 1
	}
	if err := suite.report.write(os.Stdout, suite.seed, time.Since(start), code == 0); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		code = 1
	}
	return code
}

// prepare chooses the seed and builds the program.
func prepare() (err error) {
	suite.seed = rand.Uint64N(1_000_000)
	if given := os.Getenv("CHAOS_SEED"); given != "" {
		if suite.seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			return fmt.Errorf("CHAOS_SEED: %w", err)
		}
	}
	fmt.Fprintln(os.Stderr, "CHAOS_SEED =", suite.seed)
	if suite.dir, err = os.MkdirTemp("", "support-chaos-"); err != nil {
		return err
	}
	// PostgreSQL refuses to run as root, so it runs as another user, who must be able to enter the directory.
	if err := os.Chmod(suite.dir, 0o755); err != nil {
		return err
	}
	build := exec.Command("go", "build", "-o", program(), "github.com/supportbackend/support/cmd/support")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	return build.Run()
}

// program returns the path of the program under test.
func program() string { return filepath.Join(suite.dir, "support") }

// cleanUpOnSignal removes the files when the run is interrupted. The processes end with this one.
func cleanUpOnSignal() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	<-signals
	_ = os.RemoveAll(suite.dir)
	os.Exit(1)
}
