package page_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/page"
)

func TestPageIsCutAtItsLimit(t *testing.T) {
	t.Parallel()
	position := func(n int) page.Position { return page.Position{CreatedAt: page.First.CreatedAt.AddDate(n, 0, 0)} }
	for _, test := range []struct {
		rows, want []int
		next       *page.Position
	}{
		{[]int{}, []int{}, nil},
		{[]int{1}, []int{1}, nil},
		{[]int{1, 2, 3}, []int{1, 2, 3}, nil},
		{[]int{1, 2, 3, 4}, []int{1, 2, 3}, &page.Position{CreatedAt: page.First.CreatedAt.AddDate(3, 0, 0)}},
	} {
		rows, next := page.Cut(test.rows, 3, position)
		require.Equal(t, test.want, rows)
		require.Equal(t, test.next, next)
	}
}
