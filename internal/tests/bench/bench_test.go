package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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

// A small run of the whole benchmark keeps it working.
func TestSmallRunHasEveryFigure(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the benchmark needs /proc")
	}
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
	var found report
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &found), "%s", &stderr)
	require.Len(t, found.Stages, 16)
	for _, s := range found.Stages {
		require.Contains(t, stderr.String(), s.Name)
		require.GreaterOrEqual(t, len(s.Figures), 3, s.Name)
	}
	require.Positive(t, found.Stages[1].Figures[0].Ratio)
}

func TestNextStampInPieces(t *testing.T) {
	t.Parallel()
	_, rest, ok := nextStamp([]byte(`{"content":"~0012`))
	require.False(t, ok)
	stamp, rest, ok := nextStamp(append(rest, `34~000005"}`...))
	require.True(t, ok)
	require.Equal(t, 1234, stamp)
	stamp, rest, ok = nextStamp(rest)
	require.True(t, ok)
	require.Equal(t, 5, stamp)
	require.Equal(t, `"}`, string(rest))
}

func TestStampsWrapAround(t *testing.T) {
	t.Parallel()
	c := clock{begin: time.Now()}
	require.Less(t, c.since(stampSpan-1), time.Minute)
	require.GreaterOrEqual(t, c.since(stampSpan-1), time.Duration(0))
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	values := []time.Duration{4, 1, 3, 2}
	require.Equal(t, time.Duration(3), quantile(values, 0.5))
	require.Equal(t, time.Duration(4), quantile(values, 0.99))
	require.Zero(t, quantile(nil, 0.5))
}

func TestFigureOverItsBudgetIsReported(t *testing.T) {
	t.Parallel()
	r := report{Stages: []stage{{Name: "s", Figures: []figure{
		{Name: "a", Server: 2, Budget: 1},
		{Name: "b", Server: 1, Budget: 1},
		{Name: "c", Server: 9},
		figure{Name: "d", Server: 2}.against("it", 1).atMost(1.9), figure{Name: "e", Server: 2}.against("it", 1).atMost(2),
		figure{Name: "f", Server: 2}.against("it", 1).atLeast(2.1), figure{Name: "g", Server: 2}.against("it", 1).atLeast(2),
	}}}}
	r.judge()
	require.Equal(t, []string{"s: a", "s: d", "s: f"}, r.Missed)
}
