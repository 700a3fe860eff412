// Package page divides lists into pages, each with the position at which the next one begins.
package page

import (
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/internal/timestamp"
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

// At returns the position of what was created at the time.
func At(createdAt time.Time, id uuid.UUID) Position { return Position{CreatedAt: createdAt, ID: id} }

// First and Last are before and after everything that a list can have.
var (
	First = At(time.Date(1, time.January, 1, 0, 0, 0, 0, time.UTC), uuid.Nil)
	Last  = At(time.Date(timestamp.LastYear, time.December, 31, 0, 0, 0, 0, time.UTC), uuid.Max)
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

// Read returns a page of a list that begins with the newest row, and where the next page begins, if there is one. list
// returns up to limit rows before a position.
func Read[T any](
	p Page, list func(before Position, limit int32) ([]T, error), position func(T) Position,
) ([]T, *Position, error) {
	return ReadText(p, list, func(T) int { return 0 }, position)
}

// ReadText is Read for rows of long text: the page has at most MaxBytes, counted by size, but at least one row.
func ReadText[T any](
	p Page, list func(before Position, limit int32) ([]T, error), size func(T) int, position func(T) Position,
) ([]T, *Position, error) {
	rows, err := list(p.AfterOr(Last), p.Limit+1)
	if err != nil {
		return nil, nil, err
	}
	rows, next := CutText(rows, p.Limit, size, position)
	return rows, next, nil
}

// CutText returns a page of rows of long text, and where the next page begins, if there is one. The query has read one row
// more than the page may hold. The page has at most MaxBytes, counted by size, but at least one row.
func CutText[T any](rows []T, limit int32, size func(T) int, position func(T) Position) ([]T, *Position) {
	n := Fit(rows[:min(len(rows), int(limit))], size)
	if n == len(rows) {
		return rows, nil
	}
	next := position(rows[n-1])
	return rows[:n], &next
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
