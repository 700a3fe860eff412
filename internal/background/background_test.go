package background_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/background"
)

var errBroken = errors.New("broken on purpose")

func TestEveryShortensTheIntervalByUpToAQuarter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const interval, calls = time.Minute, 200
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var waits []time.Duration
		last := time.Now()
		background.Every(ctx, interval, &background.Outage{Logger: slog.New(slog.DiscardHandler)}, func(context.Context) error {
			waits = append(waits, time.Since(last))
			last = time.Now()
			if len(waits) == calls {
				cancel()
			}
			return errBroken
		})
		require.Len(t, waits, calls, "a failure does not end the loop")
		require.Greater(t, slices.Min(waits), interval*3/4-1)
		require.LessOrEqual(t, slices.Max(waits), interval)
		require.Greater(t, slices.Max(waits)-slices.Min(waits), interval/8, "replicas drift apart")
	})
}

func TestEveryEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		background.Every(ctx, time.Hour, &background.Outage{}, func(context.Context) error {
			t.Error("the function was called too early")
			return nil
		})
		require.Error(t, ctx.Err())
	})
}

func TestOutageIsLoggedOnceAtItsBeginAndEnd(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	o := &background.Outage{While: "sweeping", Logger: slog.New(slog.NewTextHandler(&log, nil))}
	for _, err := range []error{nil, errBroken, errBroken, errBroken, nil, nil} {
		o.Note(t.Context(), err)
	}
	require.Equal(t, 2, strings.Count(log.String(), "\n"), "%s", log.String())
	require.Equal(t, 2, strings.Count(log.String(), "while=sweeping"), "%s", log.String())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o.Note(ctx, ctx.Err())
	require.Equal(t, 2, strings.Count(log.String(), "\n"), "the end of the context is not a failure: %s", log.String())
}

// table has rows that cannot be deleted, and a limit of rows per statement.
type table struct {
	rows       []int
	broken     func(row int) bool
	most       int
	statements int
}

func (tab *table) delete(_ context.Context, limit, skip int32) (int64, error) {
	tab.statements++
	from := min(int(skip), len(tab.rows))
	to := min(from+int(limit), len(tab.rows))
	if to-from > tab.most || slices.ContainsFunc(tab.rows[from:to], tab.broken) {
		return 0, errBroken
	}
	tab.rows = slices.Delete(tab.rows, from, to)
	return int64(to - from), nil
}

func newTable(rows int, broken ...int) *table {
	tab := &table{most: rows, broken: func(row int) bool { return slices.Contains(broken, row) }}
	for i := range rows {
		tab.rows = append(tab.rows, i)
	}
	return tab
}

func TestBatchesContinuePastAFailingRow(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string][]int{
		"none": {}, "first": {0}, "last": {2499}, "some": {7, 8, 999, 1000, 2000},
	} {
		tab := newTable(2500, broken...)
		err := background.Batches(t.Context(), 1000, tab.delete)
		require.Equal(t, len(broken) > 0, err != nil, name)
		require.ElementsMatch(t, broken, tab.rows, name)
		require.LessOrEqual(t, tab.statements, 4+40*len(broken), name)
	}
}

func TestBatchesShrinkToWhatOneStatementCanDo(t *testing.T) {
	t.Parallel()
	tab := newTable(2500)
	tab.most = 150
	require.NoError(t, background.Batches(t.Context(), 1000, tab.delete))
	require.Empty(t, tab.rows)
	require.Equal(t, 1+26, tab.statements)
}

func TestBatchesGiveUpWhenNothingWorks(t *testing.T) {
	t.Parallel()
	tab := newTable(2500)
	tab.most = 0
	require.ErrorIs(t, background.Batches(t.Context(), 1000, tab.delete), errBroken)
	require.LessOrEqual(t, tab.statements, 80)

	calls := 0
	err := background.Batches(t.Context(), 1000, func(context.Context, int32, int32) (int64, error) {
		calls++
		return 0, apperr.New(apperr.DBUnavailable, "gone")
	})
	require.True(t, apperr.Is(err, apperr.DBUnavailable))
	require.Equal(t, 1, calls)
}
