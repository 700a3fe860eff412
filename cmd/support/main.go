// Command support is the Support Backend: one binary that serves the API and administers it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/supportbackend/support/internal/app"
)

// Exit codes. Invalid settings have their own, so that a platform does not restart a server that cannot work.
const (
	exitFailure  = 1
	exitSettings = 2
)

// settingsError is a fault of the configuration or the command line.
type settingsError struct{ error }

func (e settingsError) Unwrap() error { return e.error }

func main() {
	ctx, stop := signalContext()
	err := rootCommand().ExecuteContext(ctx)
	stop()
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "support:", app.Explain(err))
	var settings settingsError
	if errors.As(err, &settings) {
		os.Exit(exitSettings)
	}
	os.Exit(exitFailure)
}

func rootCommand() *cobra.Command {
	root := group("support", "A support desk to embed: accounts, tickets, messages and streamed AI answers",
		serveCommand(), devCommand(), migrateCommand(), adminCommand(), configCommand(), doctorCommand(), journalCommand(),
		healthcheckCommand(), versionCommand(),
	)
	root.Version = version()
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetFlagErrorFunc(usageError)
	return root
}

// usageError adds where to find help on the command.
func usageError(cmd *cobra.Command, err error) error {
	return settingsError{fmt.Errorf("%w. See %q", err, cmd.CommandPath()+" --help")}
}

// group returns a command that only groups others. It prints their help and accepts no arguments.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Args: onlySubcommands, SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(commands...)
	return cmd
}

func onlySubcommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("unknown command %q", args[0])
	if similar := cmd.SuggestionsFor(args[0]); len(similar) > 0 {
		err = fmt.Errorf("%w (did you mean %s?)", err, strings.Join(similar, " or "))
	}
	return usageError(cmd, err)
}

// noArgs is for commands with flags only.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usageError(cmd, fmt.Errorf("unexpected argument %q", args[0]))
}

// oneArg is for commands with one argument, which has this name in the help.
func oneArg(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usageError(cmd, errors.New(name+" is missing"))
		}
		return noArgs(cmd, args[1:])
	}
}

// signalContext ends with the first SIGINT, SIGTERM or SIGHUP. A second SIGINT or SIGTERM ends the process at once. When a
// terminal closes, its kernel and its shell may both send SIGHUP. A process that nohup has started ignores it.
func signalContext() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	signals, hangups := make(chan os.Signal, 2), make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(hangups, syscall.SIGHUP)
	}
	go func() {
		select {
		case <-signals:
		case <-hangups:
		}
		cancel()
		<-signals
		os.Exit(exitFailure)
	}()
	return ctx, cancel
}
