// Package page divides lists into pages, each with the position at which the next one begins.
package page

import (
	"time"

	"github.com/google/uuid"
)

// Position is a place in a list: the keys that the list is ordered by.
type Position struct {
	// Rank is the first sort key of lists that are ordered by more than a time; 0 in the others.
	Rank      uint8
	CreatedAt time.Time
	ID        uuid.UUID
}

// Page selects a part of a list.
type Page struct {
	// Limit is the maximum number of items.
	Limit int32
	// After is the last item of the previous page; nil means the list's start.
	After *Position
}

// The keys before and after every item that there can be.
var (
	First = Position{CreatedAt: time.Date(1, time.January, 1, 0, 0, 0, 0, time.UTC), ID: uuid.Nil}
	Last  = Position{CreatedAt: time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC), ID: uuid.Max}
)

// AfterOr returns After, or start for a list's first page.
func (p Page) AfterOr(start Position) Position {
	if p.After == nil {
		return start
	}
	return *p.After
}

// MaxBytes bounds the text of a page. A page of long items ends before its limit, and the next page continues there.
const MaxBytes = 1 << 20

// Cut returns a page of rows, and the position of the next page if there is one. The query has read one row more than
// the page holds.
func Cut[T any](rows []T, limit int32, position func(T) Position) ([]T, *Position) {
	return cut(rows, min(len(rows), int(limit)), position)
}

// CutText is Cut for rows of long text. The page has at most MaxBytes, counted by size, but at least one row.
func CutText[T any](rows []T, limit int32, size func(T) int, position func(T) Position) ([]T, *Position) {
	return cut(rows, Fit(rows[:min(len(rows), int(limit))], size), position)
}

// Fit returns how many of the first rows have at most MaxBytes together, but at least one if there are any.
func Fit[T any](rows []T, size func(T) int) int {
	total := 0
	for i, row := range rows {
		if total += size(row); total > MaxBytes && i > 0 {
			return i
		}
	}
	return len(rows)
}

func cut[T any](rows []T, n int, position func(T) Position) ([]T, *Position) {
	if n == len(rows) {
		return rows, nil
	}
	next := position(rows[n-1])
	return rows[:n], &next
}
