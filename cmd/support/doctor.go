package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/supportbackend/support/internal/doctor"
)

func doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Try the settings out, and say how to fix what does not work",
		Long: "Try the settings of the environment, and of .env in the current folder: the database, its schema and clock, and each\n" +
			"AI model with one tiny completion. It changes nothing. The exit code is 1 if a check failed.",
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
