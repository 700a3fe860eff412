package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

// report is the result of a run.
type report struct {
	Machine machine `json:"machine"`
	Stages  []stage `json:"stages"`
	// Missed are the figures that exceed their budget.
	Missed []string `json:"missed"`
}

type machine struct {
	CPUs     int    `json:"cpus"`
	Go       string `json:"go"`
	Postgres string `json:"postgres"`
}

type stage struct {
	Name    string   `json:"name"`
	Note    string   `json:"note,omitempty"`
	Figures []figure `json:"figures"`
}

// figure is one measurement of the server, with the baseline's in the same run if there is one.
type figure struct {
	Name    string  `json:"name"`
	Unit    string  `json:"unit"`
	Server  float64 `json:"server"`
	Against string  `json:"against,omitempty"`
	Other   float64 `json:"other,omitempty"`
	Ratio   float64 `json:"ratio,omitempty"`
	// Budget is the server's limit; 0 means none. MaxRatio and MinRatio are limits of the ratio.
	Budget   float64 `json:"budget,omitempty"`
	MaxRatio float64 `json:"max_ratio,omitempty"`
	MinRatio float64 `json:"min_ratio,omitempty"`
}

func (f figure) against(name string, other float64) figure {
	f.Against, f.Other = name, other
	if other > 0 {
		f.Ratio = f.Server / other
	}
	return f
}

func (f figure) atMost(ratio float64) figure {
	f.MaxRatio = ratio
	return f
}

func (f figure) atLeast(ratio float64) figure {
	f.MinRatio = ratio
	return f
}

func (f figure) missed() bool {
	return f.Budget > 0 && f.Server > f.Budget || f.MaxRatio > 0 && f.Ratio > f.MaxRatio || f.Ratio < f.MinRatio
}

const (
	unitMillis = "ms"
	unitMicros = "µs"
	unitBytes  = "bytes"
	unitKiB    = "KiB"
	unitMiB    = "MiB"

	kib = 1 << 10
	mib = 1 << 20
)

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

var quantiles = []struct {
	name  string
	share float64
}{{"p50", 0.5}, {"p99", 0.99}}

// quantile returns the smallest value that a share q of all values does not exceed.
func quantile(values []time.Duration, q float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[min(int(q*float64(len(values))), len(values)-1)]
}

func (r *report) judge() {
	r.Missed = []string{}
	for _, s := range r.Stages {
		for _, f := range s.Figures {
			if f.missed() {
				r.Missed = append(r.Missed, s.Name+": "+f.Name)
			}
		}
	}
}

func newReport(postgres string) report {
	return report{Machine: machine{CPUs: runtime.NumCPU(), Go: runtime.Version(), Postgres: postgres}}
}

func (r *report) writeJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

func (r *report) writeTable(w io.Writer) error {
	fmt.Fprintf(w, "%d CPUs, %s, PostgreSQL %s\n", r.Machine.CPUs, r.Machine.Go, r.Machine.Postgres)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range r.Stages {
		fmt.Fprintf(table, "\n%s\n", s.Name)
		if s.Note != "" {
			fmt.Fprintf(table, "(%s)\n", s.Note)
		}
		fmt.Fprint(table, "  \tserver\tagainst\t\tratio\tbudget\t\n")
		for _, f := range s.Figures {
			fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\t%s\t\n", f.Name, amount(f.Server, f.Unit),
				optional(f.Against != "", amount(f.Other, f.Unit)), f.Against,
				optional(f.Ratio != 0, fmt.Sprintf("%.2f", f.Ratio)), verdict(f))
		}
	}
	return table.Flush()
}

func amount(value float64, unit string) string {
	switch {
	case value >= 100:
		return fmt.Sprintf("%.0f %s", value, unit)
	case value >= 10:
		return fmt.Sprintf("%.1f %s", value, unit)
	default:
		return fmt.Sprintf("%.2f %s", value, unit)
	}
}

func optional(is bool, text string) string {
	if is {
		return text
	}
	return ""
}

func verdict(f figure) string {
	var promise string
	switch {
	case f.Budget > 0:
		promise = amount(f.Budget, f.Unit)
	case f.MaxRatio > 0:
		promise = fmt.Sprintf("≤ %.1f", f.MaxRatio)
	case f.MinRatio > 0:
		promise = fmt.Sprintf("≥ %.1f", f.MinRatio)
	default:
		return ""
	}
	if f.missed() {
		return promise + " MISSED"
	}
	return promise + " met"
}
