package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

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
