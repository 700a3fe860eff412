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
	return group("migrate", "Migrate the schema of the database (DATABASE_URL, or SUPPORT_DB_MIGRATE_URL)",
		migrateStep("up", "Migrate to the latest version", noArgs,
			func(m *store.Migrator, _ []string) error { return m.Up() }),
		migrateStep("down [N]", "Revert the last N versions, or the last one. This deletes their data",
			optionalArg, down),
		migrateStep("goto VERSION", "Migrate up or down to a version", oneArg("VERSION"), goTo),
		migrateStep("force VERSION", "Record a version as the current one, after another program interrupted a migration",
			oneArg("VERSION"), force),
		migrateStep("version", "Print the current version", noArgs,
			func(*store.Migrator, []string) error { return nil }),
	)
}

// migrateStep returns a command that changes the schema and then prints its version.
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
		state = ", dirty"
	}
	fmt.Fprintf(cmd.OutOrStdout(), "version %d%s (latest %d)\n", version, state, latest)
	return nil
}

func optionalArg(cmd *cobra.Command, args []string) error {
	return noArgs(cmd, args[min(1, len(args)):])
}

func down(m *store.Migrator, args []string) error {
	n := int64(1)
	if len(args) == 1 {
		var err error
		if n, err = strconv.ParseInt(args[0], 10, 32); err != nil || n < 1 {
			return settingsError{errors.New("the number of versions must be 1 or more")}
		}
	}
	current, _, err := m.Version()
	if err != nil {
		return err
	}
	if n > current {
		return settingsError{fmt.Errorf("there are only %d version(s) to revert; \"support migrate goto 0\" reverts all", current)}
	}
	return m.Down(int(n))
}

func goTo(m *store.Migrator, args []string) error {
	version, err := parseVersion(args[0])
	if err != nil {
		return err
	}
	return m.Goto(uint(version))
}

func force(m *store.Migrator, args []string) error {
	version, err := parseVersion(args[0])
	if err != nil {
		return err
	}
	return m.Force(version)
}

// parseVersion parses a schema version that this program knows; 0 is an empty database.
func parseVersion(text string) (int, error) {
	version, err := strconv.Atoi(text)
	if err != nil || version < 0 {
		return 0, settingsError{errors.New("a version is a number")}
	}
	latest, err := store.LatestVersion()
	if err != nil {
		return 0, err
	}
	if int64(version) > latest {
		return 0, settingsError{fmt.Errorf("there is no version %d: the latest is %d", version, latest)}
	}
	return version, nil
}
