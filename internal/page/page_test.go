package page_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/page"
)

func TestPageEndsAtItsLimit(t *testing.T) {
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
		rows, next, err := page.Read(page.Page{Limit: 3}, func(before page.Position, limit int32) ([]int, error) {
			require.Equal(t, page.Last, before)
			require.EqualValues(t, 4, limit)
			return test.rows, nil
		}, position)
		require.NoError(t, err)
		require.Equal(t, test.want, rows)
		require.Equal(t, test.next, next)
	}
}

func TestPageOfLongRowsIsLimitedInBytes(t *testing.T) {
	t.Parallel()
	position := func(n int) page.Position { return page.Position{CreatedAt: page.First.CreatedAt.AddDate(n, 0, 0)} }
	size := func(n int) int { return n }
	const half = page.MaxBytes / 2
	for _, test := range []struct {
		rows []int
		want int
		more bool
	}{
		{[]int{half, half, 1}, 2, true},
		{[]int{half, half}, 2, false},
		{[]int{2 * page.MaxBytes, 1}, 1, true},
		{[]int{2 * page.MaxBytes}, 1, false},
		{[]int{1, 1, 1, 1}, 3, true},
		{[]int{}, 0, false},
	} {
		rows, next := page.CutText(test.rows, 3, size, position)
		require.Equal(t, test.rows[:test.want], rows)
		require.Equal(t, test.more, next != nil)
	}
}
