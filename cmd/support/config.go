package main

import (
	"cmp"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/supportbackend/support/internal/app"
	"github.com/supportbackend/support/internal/config"
	"github.com/supportbackend/support/internal/store"
)

func configCommand() *cobra.Command {
	return group("config", "Check the settings", &cobra.Command{
		Use:   "check",
		Short: "List everything that is wrong with the settings of \"support serve\"",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(config.NeedDatabase | config.NeedSecret)
			if err != nil {
				return err
			}
			// These only validate the settings: they connect to nothing.
			for name, url := range map[string]config.Secret{
				"DATABASE_URL": cfg.DatabaseURL, "SUPPORT_DB_MIGRATE_URL": cmp.Or(cfg.DBMigrateURL, cfg.DatabaseURL),
			} {
				if err := (store.Config{URL: url.Reveal()}).Check(); err != nil {
					return settingsError{fmt.Errorf("%s: %w", name, err)}
				}
			}
			if _, err := app.NewUpstream(cfg, slog.New(slog.DiscardHandler)); err != nil {
				return settingsError{err}
			}
			for _, warning := range cfg.Warnings {
				fmt.Fprintln(cmd.OutOrStdout(), "warning:", warning)
			}
			fmt.Fprintln(cmd.OutOrStdout(), "the settings are complete and well-formed")
			return nil
		},
	})
}
