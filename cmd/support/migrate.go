package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/supportbackend/support/internal/config"
	"github.com/supportbackend/support/internal/store"
)

func migrateCommand() *cobra.Command {
	return group("migrate", "Change the schema of the database (DATABASE_URL, or SUPPORT_DB_MIGRATE_URL) from one version to another",
		migrateStep("up", "Go to the latest version", cobra.NoArgs,
			func(m *store.Migrator, _ []string) error { return m.Up() }),
		migrateStep("down [N]", "Take back the last N versions, one if N is left out. This deletes their data",
			cobra.MaximumNArgs(1), down),
		migrateStep("goto VERSION", "Go to a version, up or down", cobra.ExactArgs(1), goTo),
		migrateStep("force VERSION", "Record a version as the current one, after another program has broken a migration off",
			cobra.ExactArgs(1), force),
		migrateStep("version", "Print the current version", cobra.NoArgs,
			func(*store.Migrator, []string) error { return nil }),
	)
}

// migrateStep is a command that does one thing to the schema and then prints its version.
func migrateStep(
	use, short string, args cobra.PositionalArgs, run func(*store.Migrator, []string) error,
) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := loadConfig(config.NeedDatabase)
			if err != nil {
				return err
			}
			m, err := openMigrator(cfg)
			if err != nil {
				return err
			}
			defer func() { _ = m.Close() }()
			if err := run(m, args); err != nil {
				return err
			}
			return printVersion(cmd, m)
		},
	}
}

func openMigrator(cfg config.Config) (*store.Migrator, error) {
	databaseURL, err := cfg.MigrateURL()
	if err != nil {
		return nil, settingsError{err}
	}
	if err := (store.Config{URL: databaseURL}).Check(); err != nil {
		return nil, settingsError{err}
	}
	return store.OpenMigrator(databaseURL)
}

func printVersion(cmd *cobra.Command, m *store.Migrator) error {
	version, dirty, err := m.Version()
	if err != nil {
		return err
	}
	latest, err := store.LatestVersion()
	if err != nil {
		return err
	}
	state := ""
	if dirty {
		state = ", broken off"
	}
	fmt.Fprintf(cmd.OutOrStdout(), "version %d%s (latest %d)\n", version, state, latest)
	return nil
}

func down(m *store.Migrator, args []string) error {
	n := 1
	if len(args) == 1 {
		var err error
		if n, err = strconv.Atoi(args[0]); err != nil || n < 1 {
			return settingsError{errors.New("the number of versions is 1 or more")}
		}
	}
	return m.Down(n)
}

func goTo(m *store.Migrator, args []string) error {
	version, err := strconv.ParseUint(args[0], 10, 32)
	if err != nil {
		return settingsError{errors.New("a version is a number")}
	}
	return m.Goto(uint(version))
}

func force(m *store.Migrator, args []string) error {
	version, err := strconv.ParseUint(args[0], 10, 31)
	if err != nil {
		return settingsError{errors.New("a version is a number")}
	}
	return m.Force(int(version))
}
