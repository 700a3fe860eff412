package report

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestQuantile(t *testing.T) {
	t.Parallel()
	values := []time.Duration{4, 1, 3, 2}
	require.Equal(t, time.Duration(3), Quantile(values, 0.5))
	require.Equal(t, time.Duration(4), Quantile(values, 0.99))
	require.Zero(t, Quantile(nil, 0.5))
}

func TestFigureOverItsBudgetIsReported(t *testing.T) {
	t.Parallel()
	r := Report{Stages: []Stage{{Name: "s", Figures: []Figure{
		{Name: "a", Server: 2, Budget: 1},
		{Name: "b", Server: 1, Budget: 1},
		{Name: "c", Server: 9},
		Figure{Name: "d", Server: 2}.ComparedTo("it", 1).AtMost(1.9), Figure{Name: "e", Server: 2}.ComparedTo("it", 1).AtMost(2),
		Figure{Name: "f", Server: 2}.ComparedTo("it", 1).AtLeast(2.1), Figure{Name: "g", Server: 2}.ComparedTo("it", 1).AtLeast(2),
	}}}}
	r.Judge()
	require.Equal(t, []string{"s: a", "s: d", "s: f"}, r.Missed)
}
