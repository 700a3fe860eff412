package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/supportbackend/support/internal/app"
	"github.com/supportbackend/support/internal/config"
)

// drainDelay is how long a draining server still accepts requests, until balancers have noticed.
const drainDelay = 5 * time.Second

func serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Serve the API, with the settings of the environment",
		Long: "Serve the API on SUPPORT_ADDR. Migrate the database first (support migrate up): until then, the server runs but is\n" +
			"not ready.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(config.NeedDatabase | config.NeedSecret)
			if err != nil {
				return err
			}
			logger := newLogger(os.Stderr, cfg)
			for _, warning := range cfg.Warnings {
				logger.Warn("setting", slog.String("warning", warning))
			}
			app.DeferCollection()
			listener, err := app.Listen(cmd.Context(), "SUPPORT_ADDR", cfg.Addr)
			if err != nil {
				return err
			}
			a, err := newApp(cmd.Context(), cfg, logger)
			if err != nil {
				return err
			}
			return a.Serve(cmd.Context(), listener, drainDelay)
		},
	}
}

func newApp(ctx context.Context, cfg config.Config, logger *slog.Logger) (*app.App, error) {
	options, err := app.FromConfig(ctx, cfg, logger)
	if err != nil {
		return nil, settingsError{err}
	}
	return app.New(options)
}

func loadConfig(need config.Need) (config.Config, error) { return loadConfigFrom(os.Environ(), need) }

func loadConfigFrom(environ []string, need config.Need) (config.Config, error) {
	cfg, err := config.Load(environ, need)
	if err != nil {
		return cfg, settingsError{fmt.Errorf("%w\n.env.example explains every setting; \"support dev\" needs none", err)}
	}
	return cfg, nil
}
