//go:build bench && linux

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/tests/bench/report"
)

// runMain makes the test binary run as the program, because the benchmark starts itself again as the plain proxy.
const runMain = "BENCH_TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// A small run of the whole benchmark keeps it working. It takes a minute, so it has a tag, which the gate sets.
func TestSmallRunHasEveryFigure(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "support")
	// Without the flags of a release, the build reuses what the tests have compiled.
	build := exec.Command("go", "build", "-buildvcs=false", "-o", program, "../../../cmd/support")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)

	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, "-server", program, "-rounds", "1", "-requests", "1", "-readers", "4", "-watching", "100ms",
		"-answers", "20", "-messages", "1000", "-brief")
	cmd.Env = append(os.Environ(), runMain+"=1")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // Such a short run may exceed a budget; the figures show whether it is complete.
	var found report.Report
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &found), "%s", &stderr)
	require.Len(t, found.Stages, 16)
	for _, s := range found.Stages {
		require.Contains(t, stderr.String(), s.Name)
		require.GreaterOrEqual(t, len(s.Figures), 3, s.Name)
	}
	require.Positive(t, found.Stages[1].Figures[0].Ratio)
}
