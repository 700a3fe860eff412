// Command support is the Support Backend: one binary that serves the API and looks after it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes. A wrong setting is told apart from everything else, so that a platform does not restart what cannot work.
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
	fmt.Fprintln(os.Stderr, "support:", explain(err))
	var settings settingsError
	if errors.As(err, &settings) {
		os.Exit(exitSettings)
	}
	os.Exit(exitFailure)
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "support",
		Version:       version(),
		Short:         "A support desk to embed: accounts, tickets, messages and streamed AI answers",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return settingsError{err} })
	root.AddCommand(
		serveCommand(), devCommand(), migrateCommand(), adminCommand(), configCommand(), healthcheckCommand(),
	)
	return root
}

// version is that of the module, as the go command has stamped it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}

// group is a command that only holds others. It prints what they are, and takes nothing else.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(commands...)
	return cmd
}

// signalContext ends with the first SIGINT or SIGTERM. The second one ends the process at once.
func signalContext() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		os.Exit(exitFailure)
	}()
	return ctx, cancel
}
