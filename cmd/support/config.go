package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/supportbackend/support/internal/config"
)

func configCommand() *cobra.Command {
	return group("config", "Look at the settings", &cobra.Command{
		Use:   "check",
		Short: "Say everything that is wrong with the settings of \"support serve\"",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(config.NeedDatabase | config.NeedSecret)
			if err != nil {
				return err
			}
			for _, warning := range cfg.Warnings {
				fmt.Fprintln(cmd.OutOrStdout(), "warning:", warning)
			}
			fmt.Fprintln(cmd.OutOrStdout(), "the settings are complete and well-formed")
			return nil
		},
	})
}
