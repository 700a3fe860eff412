package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
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

	againstProxy = "proxy"
)

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

var quantiles = []struct {
	name  string
	share float64
}{{"p50", 0.5}, {"p99", 0.99}}

// On an idle machine, maxAddedMillis is the most that the server may add to the first token of an answer (p50 and p99),
// and maxLagMillis the longest delay of a token. maxSaturated and maxPaced are the cost of a token as a ratio to the
// proxy.
var (
	maxAddedMillis = []float64{2, 8}
	maxLagMillis   = []float64{3, 12}
)

const maxSaturated, maxPaced = 2.5, 1.7

// answersStage compares the paths.
func answersStage(l load, direct, proxy, server *measured, countsStatements bool) stage {
	out := stage{Name: l.String()}
	add := func(f figure) { out.Figures = append(out.Figures, f) }
	for i, q := range quantiles {
		base, plain, total := direct.firstToken(q.share), proxy.firstToken(q.share), server.firstToken(q.share)
		added := figure{Name: "… more than straight from the simulator", Unit: unitMillis, Server: millis(total - base)}
		if l.light {
			added.Budget = maxAddedMillis[i]
		}
		add(figure{Name: "time to first token " + q.name, Unit: unitMillis, Server: millis(total)}.
			against(againstProxy, millis(plain)))
		add(added.against(againstProxy, millis(plain-base)))
	}
	for i, q := range quantiles {
		lag := figure{Name: "a token on its way " + q.name, Unit: unitMillis, Server: millis(server.lag(q.share))}
		if l.light {
			lag.Budget = maxLagMillis[i]
		}
		add(lag.against(againstProxy, millis(proxy.lag(q.share))))
	}
	maxCost := maxPaced
	if l.speed < 0 {
		maxCost = maxSaturated
	}
	answers, perAnswer := float64(l.answers()), float64(l.tokens)
	all, text := answers*perAnswer, perAnswer*float64(len(blankStamp))
	add(figure{Name: "CPU per token", Unit: unitMicros, Server: micros(server.cost.cpu) / all}.
		against(againstProxy, micros(proxy.cost.cpu)/all).atMost(maxCost))
	add(figure{Name: "… with the database's", Unit: unitMicros, Server: micros(server.cost.cpu+server.cost.databaseCPU) / all}.
		against(againstProxy, micros(proxy.cost.cpu)/all))
	if countsStatements {
		add(figure{Name: "database statements per answer", Server: float64(server.cost.statements) / answers}.
			against("tokens", perAnswer))
	}
	add(figure{Name: "WAL per answer", Unit: unitBytes, Server: float64(server.cost.walBytes) / answers}.against("its text", text))
	add(figure{Name: "stored per answer", Unit: unitBytes, Server: float64(server.cost.size) / answers}.against("its text", text))
	return out
}

// idle is the measurement with many open readers.
type idle struct {
	opening, watched time.Duration
	// rssBefore is the server's memory with the answers running and one reader of each.
	rssBefore, rss int64
	cost           cost
	connections    int
	heartbeats     int64
	goroutines     int
	// alone and crowded are how long lists of tickets took without readers and with them.
	alone, crowded []time.Duration
}

// The budgets for 10,000 idle readers on one process.
const (
	maxReaderKiB   = 40
	maxServerMiB   = 350
	maxGoroutines  = 4
	maxIdlePercent = 4
	maxListMillis  = 50
	maxConnections = 22 // the pool of a server, and two that listen
)

// tooFewFiles explains why a stage is smaller than requested.
func tooFewFiles(wanted int) string {
	return fmt.Sprintf("the limit of open files (ulimit -Hn) allows no more; %d were wanted", wanted)
}

func readersStage(c *crowd, i *idle, countsStatements bool) stage {
	out := stage{Name: fmt.Sprintf("%d idle readers of %d silent answers", c.readers, c.answers)}
	if c.readers < c.wanted {
		out.Note = tooFewFiles(c.wanted)
	}
	readers := float64(c.readers)
	seconds := i.watched.Seconds()
	out.Figures = []figure{
		{Name: "memory per reader", Unit: unitKiB, Server: float64(i.rss-i.rssBefore) / kib / readers, Budget: maxReaderKiB},
		{Name: "memory of the server", Unit: unitMiB, Server: float64(i.rss) / mib, Budget: maxServerMiB},
		{Name: "… before the readers came", Unit: unitMiB, Server: float64(i.rssBefore) / mib},
		{Name: "goroutines per reader", Server: float64(i.goroutines) / readers, Budget: maxGoroutines},
		{Name: "CPU of the idle server", Unit: "% of a core", Server: 100 * i.cost.cpu.Seconds() / seconds, Budget: maxIdlePercent},
		{Name: "… of the database", Unit: "% of a core", Server: 100 * i.cost.databaseCPU.Seconds() / seconds},
		{Name: "heartbeats per reader", Server: float64(i.heartbeats) / readers},
		{Name: "database connections", Server: float64(i.connections), Budget: maxConnections},
		{Name: "readers let in per second", Server: readers / i.opening.Seconds()},
	}
	if countsStatements {
		out.Figures = append(out.Figures, figure{
			Name: "database statements per second", Server: float64(i.cost.statements) / seconds,
		})
	}
	for _, q := range quantiles {
		f := figure{Name: "GET /tickets " + q.name, Unit: unitMillis, Server: millis(quantile(i.crowded, q.share))}
		if q.share > 0.5 {
			f.Budget = maxListMillis
		}
		out.Figures = append(out.Figures, f.against("no readers", millis(quantile(i.alone, q.share))))
	}
	return out
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
