// Command groqsim serves a simulation of Groq's chat completions API, for development without a key and for trying
// out failures.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/supportbackend/support/internal/dev/groqsim"
)

const usage = `groqsim simulates Groq's chat completions API, with its streaming format and its failures.

Usage:

  groqsim [flags]

Flags:

`

const examples = `
The default answer is a plausible one about the customer's subject. What happens next is scripted over HTTP, with the
knobs of groqsim.Script; "match" picks the request by its last user message, "times": -1 keeps a script for ever:

  curl http://ADDR/__sim/scripts -d '{"status": 429, "retry_after": "3"}'
  curl http://ADDR/__sim/scripts -d '[{"match": "invoice", "text": "Hello", "gates": [{"name": "g", "after": 1}]}]'
  curl -X POST http://ADDR/__sim/gates/g/release
  curl http://ADDR/__sim/requests
  curl -X DELETE http://ADDR/__sim/requests
  curl -X POST http://ADDR/__sim/reset

The control paths need no key: keep the address on the loopback interface.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "groqsim:", err)
		os.Exit(1)
	}
}

// settings are the values of the flags.
type settings struct {
	address string
	options groqsim.Options
}

func parse(args []string, stdout, stderr io.Writer) (settings, error) {
	var s settings
	var models, script string
	var quiet bool
	flags := flag.NewFlagSet("groqsim", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&s.address, "addr", "127.0.0.1:8091", "listen on this `host:port`; port 0 takes a free one")
	flags.StringVar(&s.options.APIKey, "key", "", "accept only this API `key`; without it, any key")
	flags.StringVar(&models, "models", "", "the only models that exist, as a comma-separated `list`; without it, any model")
	flags.Float64Var(&s.options.TokensPerSecond, "tokens-per-second", 60, "speed of answers; 0 is unthrottled")
	flags.StringVar(&script, "script", "", "JSON `file` with the script of requests for which none is queued")
	flags.BoolVar(&quiet, "quiet", false, "do not log requests")
	flags.Usage = func() {
		flags.SetOutput(stdout)
		fmt.Fprint(stdout, usage)
		flags.PrintDefaults()
		fmt.Fprint(stdout, strings.ReplaceAll(examples, "ADDR", "127.0.0.1:8091"))
	}
	if err := flags.Parse(args); err != nil {
		return settings{}, err
	}
	if flags.NArg() > 0 {
		return settings{}, fmt.Errorf("unexpected argument %q; see groqsim --help", flags.Arg(0))
	}
	for model := range strings.SplitSeq(models, ",") {
		if model = strings.TrimSpace(model); model != "" {
			s.options.Models = append(s.options.Models, model)
		}
	}
	if !quiet {
		s.options.Logger = slog.New(slog.NewTextHandler(stderr, nil))
	}
	if script == "" {
		return s, nil
	}
	return s, readScript(script, &s.options.Default)
}

func readScript(name string, script *groqsim.Script) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(script); err != nil {
		return fmt.Errorf("script %s: %w", name, err)
	}
	return script.Validate()
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	s, err := parse(args, stdout, stderr)
	if err != nil {
		return err
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", s.address)
	if err != nil {
		return fmt.Errorf("%w; choose another address with -addr", err)
	}
	simulator := groqsim.New(s.options)
	server := &http.Server{Handler: simulator, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	base := "http://" + listener.Addr().String()
	fmt.Fprintf(stdout, "groqsim listens on %s\n\n  GROQ_API_URL=%s  GROQ_API_KEY=any\n\nScripts: %s/__sim/scripts  Requests: %s/__sim/requests  Help: groqsim --help\n",
		base, base, base, base)

	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	// Streams on hold would keep the server from ending.
	simulator.Close()
	// The ended context must not cancel the shutdown.
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return server.Close()
	}
	return nil
}
