// Package report has the figures of a run, their budgets, and the forms in which they are printed.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

// Report is the result of a run.
type Report struct {
	Machine machine `json:"machine"`
	Stages  []Stage `json:"stages"`
	// Missed are the figures that exceed their budget.
	Missed []string `json:"missed"`
}

type machine struct {
	CPUs     int    `json:"cpus"`
	Go       string `json:"go"`
	Postgres string `json:"postgres"`
}

// Stage is one of the measurements of a run, and its figures.
type Stage struct {
	Name    string   `json:"name"`
	Note    string   `json:"note,omitempty"`
	Figures []Figure `json:"figures"`
}

// Figure is one measurement of the server, with the baseline's in the same run if there is one.
type Figure struct {
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

// ComparedTo adds what the same work took elsewhere, for example at the proxy, and the ratio.
func (f Figure) ComparedTo(name string, other float64) Figure {
	f.Against, f.Other = name, other
	if other > 0 {
		f.Ratio = f.Server / other
	}
	return f
}

// AtMost sets the greatest ratio; 0 means none.
func (f Figure) AtMost(ratio float64) Figure {
	f.MaxRatio = ratio
	return f
}

// AtLeast sets the least ratio; 0 means none.
func (f Figure) AtLeast(ratio float64) Figure {
	f.MinRatio = ratio
	return f
}

func (f Figure) missed() bool {
	return f.Budget > 0 && f.Server > f.Budget || f.MaxRatio > 0 && f.Ratio > f.MaxRatio || f.Ratio < f.MinRatio
}

// The units of figures.
const (
	UnitMillis = "ms"
	UnitMicros = "µs"
	UnitBytes  = "bytes"
	UnitKiB    = "KiB"
	UnitMiB    = "MiB"
)

// KiB and MiB are in bytes.
const (
	KiB = 1 << 10
	MiB = 1 << 20
)

// Millis returns milliseconds.
func Millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Micros returns microseconds.
func Micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// Quantiles are the quantiles that figures of times show.
var Quantiles = []struct {
	Name  string
	Share float64
}{{"p50", 0.5}, {"p99", 0.99}}

// Quantile returns the smallest value that a share q of all values does not exceed.
func Quantile(values []time.Duration, q float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[min(int(q*float64(len(values))), len(values)-1)]
}

// Judge lists the figures that exceed their budgets.
func (r *Report) Judge() {
	r.Missed = []string{}
	for _, s := range r.Stages {
		for _, f := range s.Figures {
			if f.missed() {
				r.Missed = append(r.Missed, s.Name+": "+f.Name)
			}
		}
	}
}

// New returns a report of this machine, with this version of PostgreSQL. It has no stages yet.
func New(postgres string) *Report {
	return &Report{Machine: machine{CPUs: runtime.NumCPU(), Go: runtime.Version(), Postgres: postgres}}
}

// WriteJSON writes the report for programs.
func (r *Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// WriteTable writes the report for readers.
func (r *Report) WriteTable(w io.Writer) error {
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

func verdict(f Figure) string {
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
