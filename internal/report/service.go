// Package report counts what happens on the desk, and watches over the times in which it should.
//
// Besides the errors that they name, all methods return what store.Store returns.
package report

import (
	"context"
	"time"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/store"
)

// maxGroups is how many groups a summary has.
const maxGroups = 1000

// Service reports.
type Service struct {
	store *store.Store
}

// NewService returns a Service on the store.
func NewService(s *store.Store) *Service { return &Service{store: s} }

// Today is the beginning of the day (UTC) by the database's clock, which all times are of.
func (s *Service) Today(ctx context.Context) (time.Time, error) { return s.store.GetToday(ctx) }

// Figures are what happened as a whole, or in one group.
type Figures = sqlc.ListReportGroupsRow

// Summary returns what happened from a moment until another, as a whole and in groups: by "day", "team" or "agent".
func (s *Service) Summary(ctx context.Context, begins, ends time.Time, by string) (total Figures, groups []Figures, err error) {
	rows, err := s.store.ListReportGroups(ctx, sqlc.ListReportGroupsParams{
		Begins: begins, Ends: ends, GroupBy: by, MaxRows: maxGroups + 1,
	})
	if err != nil {
		return Figures{}, nil, err
	}
	return rows[0], rows[1:], nil // Without anything to group by, there still is the whole.
}
