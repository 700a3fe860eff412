package assistant

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
)

func TestBudgetLimits(t *testing.T) {
	t.Parallel()
	budget := Budget{Running: 2, PerMinute: 10, PerDay: 100}
	for name, c := range map[string]struct {
		budget Budget
		spent  sqlc.CountRecentAIResponsesRow
		wait   time.Duration // 0 means not refused
	}{
		"nothing spent":        {budget, sqlc.CountRecentAIResponsesRow{}, 0},
		"one below every one":  {budget, sqlc.CountRecentAIResponsesRow{Running: 1, LastMinute: 9, LastDay: 99}, 0},
		"running":              {budget, sqlc.CountRecentAIResponsesRow{Running: 2, LastMinute: 2, LastDay: 2}, runningPause},
		"more than may be":     {budget, sqlc.CountRecentAIResponsesRow{Running: 7}, runningPause},
		"minute":               {budget, sqlc.CountRecentAIResponsesRow{LastMinute: 10, MinuteEndsIn: 41.5}, 41500 * time.Millisecond},
		"day":                  {budget, sqlc.CountRecentAIResponsesRow{LastDay: 100, DayEndsIn: 3600}, time.Hour},
		"the longest wait":     {budget, sqlc.CountRecentAIResponsesRow{Running: 2, LastMinute: 10, LastDay: 100, MinuteEndsIn: 1, DayEndsIn: 60}, time.Minute},
		"no limits":            {Budget{}, sqlc.CountRecentAIResponsesRow{Running: math.MaxInt32, LastMinute: math.MaxInt32, LastDay: math.MaxInt32}, 0},
		"no limit to the day":  {Budget{Running: 1}, sqlc.CountRecentAIResponsesRow{LastMinute: 1000, LastDay: 1000}, 0},
		"only one to the day":  {Budget{PerDay: 3}, sqlc.CountRecentAIResponsesRow{Running: 9, LastDay: 3, DayEndsIn: 1}, time.Second},
		"only one a minute":    {Budget{PerMinute: 1}, sqlc.CountRecentAIResponsesRow{LastMinute: 1, MinuteEndsIn: 60}, time.Minute},
		"only one at a time":   {Budget{Running: 1}, sqlc.CountRecentAIResponsesRow{Running: 1}, runningPause},
		"one at a time, ended": {Budget{Running: 1}, sqlc.CountRecentAIResponsesRow{LastMinute: 5}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := c.budget.check(c.spent)
			if c.wait == 0 {
				require.NoError(t, err)
				return
			}
			var refused *apperr.Error
			require.ErrorAs(t, err, &refused)
			require.Equal(t, apperr.AIQuota, refused.Code)
			require.Equal(t, c.wait, refused.RetryAfter)
		})
	}
}
