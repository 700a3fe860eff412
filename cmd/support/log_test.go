package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/config"
)

func TestDurationsAreLoggedAsMilliseconds(t *testing.T) {
	t.Parallel()
	for duration, want := range map[time.Duration]float64{
		0: 0, 1295 * time.Microsecond: 1.295, 1999 * time.Nanosecond: 0.001, 2 * time.Hour: 7_200_000, -time.Second: -1000,
	} {
		var log bytes.Buffer
		newLogger(&log, config.Config{}).Info("request", slog.Duration("dur", duration), slog.Group("ai", slog.Duration("after", duration)))
		var line struct {
			Dur float64            `json:"dur"`
			AI  map[string]float64 `json:"ai"`
		}
		require.NoError(t, json.Unmarshal(log.Bytes(), &line), log.String())
		require.InDelta(t, want, line.Dur, 0)
		require.InDelta(t, want, line.AI["after"], 0)

		log.Reset()
		newLogger(&log, config.Config{LogFormat: "text"}).Info("request", slog.Duration("dur", duration))
		require.Regexp(t, `dur=-?[0-9.e+]+\n$`, log.String())
	}
}
