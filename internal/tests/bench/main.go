// Command bench measures the server as a process, with a durable PostgreSQL, beside a minimal baseline: for requests a
// bare Echo server on the same tables, and for answers from the same simulator a plain reverse proxy that only forwards
// streams. Both do the same work in the same run, so the ratios hold on other machines too.
//
//	go run ./internal/tests/bench -server bin/support
//
// The table goes to standard error and the figures as JSON to standard output. It needs Linux, for the times and memory
// in /proc.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/supportbackend/support/internal/tests/bench/baseline"
	"github.com/supportbackend/support/internal/tests/bench/report"
	"github.com/supportbackend/support/internal/tests/bench/request"
	"github.com/supportbackend/support/internal/tests/bench/rig"
	"github.com/supportbackend/support/internal/tests/bench/scale"
	"github.com/supportbackend/support/internal/tests/bench/stream"
)

// errMissed means that a figure exceeds its budget.
var errMissed = errors.New("not all figures are within their budgets")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// settings are the values of the flags.
type settings struct {
	server          string
	proxy, upstream string
	bare, user      string
	rounds          int
	requests        int
	match           string
	readers         int
	watching        time.Duration
	scale           int
	answers         int
	perSecond       int
	messages        int
	starts          bool
	brief           bool
	plain           bool
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var s settings
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&s.server, "server", "bin/support", "the `program` to measure")
	flags.IntVar(&s.rounds, "rounds", 10, "how often the ways to an answer take turns; 0 leaves answers out")
	flags.IntVar(&s.readers, "readers", 10_000, "how many readers to keep open; 0 leaves them out")
	flags.DurationVar(&s.watching, "watching", 30*time.Second, "how long to watch idle readers, one minute at most")
	flags.StringVar(&s.proxy, "proxy", "", "run only the plain proxy, on this `address`")
	flags.IntVar(&s.requests, "requests", 5, "how many rounds of requests to send; 0 leaves them out")
	flags.IntVar(&s.answers, "answers", 5000, "how many answers to run at once; 0 leaves them out")
	flags.IntVar(&s.perSecond, "per-second", 600, "how many answers to begin each second, of those that run at once")
	flags.IntVar(&s.messages, "messages", 100_000, "how many messages the long ticket has; 0 leaves flat cost out")
	flags.BoolVar(&s.starts, "starts", true, "measure the start of the server")
	flags.BoolVar(&s.brief, "brief", false, "ask for two answers in each round, to see that the benchmark works")
	flags.BoolVar(&s.plain, "plain-upstream", false, "ask the simulator over HTTP/1.1 without TLS, as local servers, and not as Groq")
	flags.IntVar(&s.scale, "scale", 0, "how many tickets a large desk has, with five messages each; 0 leaves it out")
	flags.StringVar(&s.match, "match", "", "send only requests whose name contains this `text`, for a profile of the server")
	flags.StringVar(&s.bare, "bare", "", "run only the bare server, on this `address`, with DATABASE_URL")
	flags.StringVar(&s.user, "user", "", "the `id` of the user that the bare server takes everybody for")
	flags.StringVar(&s.upstream, "upstream", "", "the `URL` that the plain proxy asks")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.proxy != "" {
		return baseline.RunProxy(ctx, s.proxy, s.upstream)
	}
	if s.bare != "" {
		return baseline.RunBare(ctx, s.bare, os.Getenv("DATABASE_URL"), s.user)
	}
	r, err := measure(ctx, s, stderr)
	if err != nil {
		return err
	}
	if err := r.WriteTable(stderr); err != nil {
		return err
	}
	if err := r.WriteJSON(stdout); err != nil {
		return err
	}
	if len(r.Missed) > 0 {
		return errMissed
	}
	return nil
}

// measure runs all stages.
func measure(ctx context.Context, s settings, progress io.Writer) (*report.Report, error) {
	r, err := rig.New(ctx, s.server, s.plain)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	out := report.New(r.Database.Version())
	if s.starts {
		fmt.Fprintln(progress, "measuring: the start")
		found, err := measureStart(ctx, r, min(settling, s.watching))
		if err != nil {
			return nil, err
		}
		out.Stages = append(out.Stages, found)
	}
	if s.requests > 0 {
		found, err := request.Measure(ctx, r, s.requests, s.match, progress)
		if err != nil {
			return nil, err
		}
		out.Stages = append(out.Stages, found...)
	}
	if s.messages > 0 {
		found, err := request.MeasureFlat(ctx, r, s.messages, min(s.requests+1, 3), progress)
		if err != nil {
			return nil, err
		}
		out.Stages = append(out.Stages, found...)
	}
	if s.rounds > 0 {
		found, err := stream.MeasureAnswers(ctx, r, s.rounds, s.brief, progress)
		if err != nil {
			return nil, err
		}
		out.Stages = append(out.Stages, found...)
	}
	for _, further := range []struct {
		wanted  bool
		name    string
		measure func() (report.Stage, error)
	}{
		{s.answers > 0, fmt.Sprintf("%d answers at once", s.answers), func() (report.Stage, error) { return stream.MeasureRunning(ctx, r, s.answers, s.perSecond) }},
		{s.readers > 0, fmt.Sprintf("%d idle readers", s.readers), func() (report.Stage, error) { return stream.MeasureReaders(ctx, r, s.readers, s.watching) }},
		{s.scale > 0, "a large desk", func() (report.Stage, error) { return scale.Measure(ctx, r, s.scale, progress) }},
	} {
		if !further.wanted {
			continue
		}
		fmt.Fprintf(progress, "measuring: %s\n", further.name)
		found, err := further.measure()
		if err != nil {
			return nil, err
		}
		out.Stages = append(out.Stages, found)
	}
	out.Judge()
	return out, nil
}
