package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

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
