package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/supportbackend/support/internal/doctor"
)

func doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Try out what the settings name, and say what to do about what does not work",
		Long: "Try out what the settings of the environment, and of .env in the current folder, name: the database, its schema and\n" +
			"clock, and each AI model with one tiny completion. It changes nothing. The exit code is 1 when something has failed.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			environ, err := environment(cmd.OutOrStdout())
			if err != nil {
				return err
			}
			cfg, err := loadConfigFrom(environ, 0)
			if err != nil {
				return err
			}
			if failed := doctor.Examine(cmd.Context(), cmd.OutOrStdout(), cfg); failed > 0 {
				return fmt.Errorf("%d check(s) failed", failed)
			}
			return nil
		},
	}
}
