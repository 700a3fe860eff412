package httpapi

import (
	"net/http"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/apperr"
)

//nolint:paralleltest // AllocsPerRun counts for the whole process.
func TestCountingARequestAllocatesNothing(t *testing.T) {
	g, err := compiledContract()
	require.NoError(t, err)
	m := newRequestMetrics(metrics.NewSet(), g)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		op := m.of(http.MethodGet, "/tickets/:ticket_id")
		op.running.Inc()
		op.answered(http.StatusOK, time.Millisecond)
		m.refused(apperr.NotFound)
		op.running.Dec()
	}))
}
