package main

import (
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/supportbackend/support/internal/config"
)

func serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Serve the API, with the settings of the environment",
		Long: "Serve the API on SUPPORT_ADDR. The database must have been migrated before (support migrate up); until it\n" +
			"is, the server runs and is not ready.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(config.NeedDatabase | config.NeedSecret)
			if err != nil {
				return err
			}
			logger := newLogger(os.Stderr, cfg)
			for _, warning := range cfg.Warnings {
				logger.Warn("setting", slog.String("warning", warning))
			}
			listener, err := listen(cmd.Context(), cfg.Addr)
			if err != nil {
				return err
			}
			a, err := newApp(cmd.Context(), cfg, logger)
			if err != nil {
				return err
			}
			return a.serve(cmd.Context(), listener, drainDelay)
		},
	}
}

func loadConfig(need config.Need) (config.Config, error) {
	cfg, err := config.Load(os.Environ(), need)
	if err != nil {
		return cfg, settingsError{err}
	}
	return cfg, nil
}
