// Package report computes the desk's figures (service.go), and watches its SLA targets (sla.go).
//
// Besides the errors that they name, all methods return the errors of store.Store.
package report

import (
	"context"
	"time"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/store"
)

// maxGroups is the maximum number of groups in a summary.
const maxGroups = 1000

// Service computes reports.
type Service struct {
	store *store.Store
}

// NewService returns a Service on the store.
func NewService(s *store.Store) *Service { return &Service{store: s} }

// Today returns the beginning of the day (UTC) by the database's clock.
func (s *Service) Today(ctx context.Context) (time.Time, error) { return s.store.GetToday(ctx) }

// Figures are the figures of a whole period, or of one group.
type Figures = sqlc.ListReportGroupsRow

// Summary returns the figures of a period, as a whole and in groups: by "day", "team" or "agent".
func (s *Service) Summary(ctx context.Context, begins, ends time.Time, by string) (total Figures, groups []Figures, err error) {
	rows, err := s.store.ListReportGroups(ctx, sqlc.ListReportGroupsParams{
		Begins: begins, Ends: ends, GroupBy: by, MaxRows: maxGroups + 1,
	})
	if err != nil {
		return Figures{}, nil, err
	}
	return rows[0], rows[1:], nil // The first row is the whole.
}
