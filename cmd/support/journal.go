package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/supportbackend/support/internal/app"
	"github.com/supportbackend/support/internal/config"
)

func journalCommand() *cobra.Command {
	return group("journal", "Inspect the journal of the desk", &cobra.Command{
		Use:   "status",
		Short: "Print the newest position of the journal, and what waits for one",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(config.NeedDatabase)
			if err != nil {
				return err
			}
			s, err := app.OpenStore(cmd.Context(), cfg, 1)
			if err != nil {
				return settingsError{err}
			}
			defer s.Close()
			if err := s.Ready(cmd.Context()); err != nil {
				return err
			}
			state, err := s.GetJournalState(cmd.Context())
			if err != nil {
				return err
			}
			lag := time.Duration(state.LagSeconds * float64(time.Second)).Round(time.Millisecond)
			fmt.Fprintf(cmd.OutOrStdout(), "head     %d\noldest   %d\nwaiting  %d\nlag      %s\n", state.Head, state.Oldest, state.Waiting, lag)
			return nil
		},
	})
}
