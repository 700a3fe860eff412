package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/supportbackend/support/internal/app"
	"github.com/supportbackend/support/internal/config"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/dev/pgembed"
)

// devTokensPerSecond is the speed of the simulator, which one can read along with.
const devTokensPerSecond = 40

// envFile is the file in the working directory that "support dev" and "support doctor" read.
const envFile = ".env"

// devOptions are the flags of "support dev".
type devOptions struct {
	addr      string
	dataDir   string
	ephemeral bool
	noDemo    bool
	demo      bool
}

func devCommand() *cobra.Command {
	var o devOptions
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Serve the API with all it needs: a database and, without a key, simulated answers",
		Long: "Serve the API on this machine with an embedded PostgreSQL (or that of DATABASE_URL), migrated, and with a Groq\n" +
			"simulator unless GROQ_API_KEY or GROQ_API_URL is set. Settings come from the environment and from .env in the\n" +
			"current folder. The embedded database has accounts and an API key to try things out with, and keeps its data\n" +
			"between runs. Ctrl-C stops everything.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.ephemeral && o.dataDir != "" {
				return usageError(cmd, errors.New("--ephemeral and --data-dir exclude each other"))
			}
			if o.demo && o.noDemo {
				return usageError(cmd, errors.New("--demo and --no-demo exclude each other"))
			}
			return runDev(cmd.Context(), cmd.OutOrStdout(), o)
		},
	}
	cmd.Flags().StringVar(&o.addr, "addr", "", "the address to serve on (default SUPPORT_ADDR, or else 127.0.0.1:8000)")
	cmd.Flags().StringVar(&o.dataDir, "data-dir", "", "the folder to keep the data in (default: in the user's cache folder)")
	cmd.Flags().BoolVar(&o.ephemeral, "ephemeral", false, "keep nothing: a new database that is gone afterwards")
	cmd.Flags().BoolVar(&o.demo, "demo", false, "fill an empty desk with 40 customers and 200 tickets")
	cmd.Flags().BoolVar(&o.noDemo, "no-demo", false, "make no demo accounts and no API key")
	return cmd
}

func runDev(ctx context.Context, out io.Writer, o devOptions) (err error) {
	cfg, err := devConfig(out, o)
	if err != nil {
		return err
	}
	logger := newLogger(os.Stderr, cfg)
	for _, warning := range cfg.Warnings {
		logger.WarnContext(ctx, "setting", slog.String("warning", warning))
	}
	// Listen first: if the port is taken, nothing else needs to start.
	listener, err := app.Listen(ctx, "--addr", cfg.Addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w\nA second \"support dev\" also needs another database: --ephemeral or --data-dir", err)
	}
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()

	d := &dev{out: out, cfg: cfg, logger: logger}
	defer func() { err = errors.Join(err, d.stop()) }()
	if err := d.start(ctx, o); err != nil {
		return err
	}
	a, err := newApp(ctx, d.cfg, logger)
	if err != nil {
		return err
	}
	d.printWelcome(listener.Addr())
	return a.Serve(ctx, listener, 0)
}

// environment returns the process's environment with the variables of the file, and prints which ones the file added.
func environment(out io.Writer) ([]string, error) {
	environ, names, err := config.WithFile(os.Environ(), envFile)
	if err != nil {
		return nil, settingsError{err}
	}
	if len(names) > 0 {
		fmt.Fprintf(out, "From %s: %s.\n", envFile, strings.Join(names, ", "))
	}
	return environ, nil
}

func devConfig(out io.Writer, o devOptions) (config.Config, error) {
	environ, err := environment(out)
	if err != nil {
		return config.Config{}, err
	}
	if o.addr != "" {
		if !config.IsAddr(o.addr) {
			return config.Config{}, settingsError{errors.New("--addr is not of the form host:port or :port")}
		}
		environ = append(environ, "SUPPORT_ADDR="+o.addr)
	}
	return loadConfigFrom(config.Development(environ), 0)
}

// dev holds what "support dev" starts besides the server.
type dev struct {
	out    io.Writer
	cfg    config.Config
	logger *slog.Logger

	postgres  *pgembed.Server
	simulator *http.Server
	demoKey   string
}

func (d *dev) start(ctx context.Context, o devOptions) error {
	dir, err := o.dir()
	if err != nil {
		return dataDirError(err)
	}
	if d.cfg.DatabaseURL == "" {
		if err := d.startPostgres(ctx, dir); err != nil {
			return err
		}
	}
	if err := migrateUp(d.cfg); err != nil {
		return d.schemaError(err)
	}
	// A database that dev did not start gets no accounts with well-known passwords.
	if d.postgres != nil && !o.noDemo {
		if d.demoKey, err = makeDemo(ctx, d.cfg, d.postgres.Dir()); err != nil {
			return err
		}
		if o.demo {
			fmt.Fprintln(d.out, "Filling the desk with 40 customers and 200 tickets, unless it has some …")
			if err := fillDemoDesk(ctx, d.cfg); err != nil {
				return err
			}
		}
	}
	if d.cfg.JWTSecret == "" {
		if d.cfg.JWTSecret, err = devSecret(dir); err != nil {
			return dataDirError(err)
		}
	}
	if d.cfg.GroqAPIKey == "" && d.cfg.GroqAPIURL == config.DefaultGroqAPIURL {
		return d.startSimulator(ctx)
	}
	return nil
}

// dir is the folder of the data; empty for none.
func (o devOptions) dir() (string, error) {
	switch {
	case o.ephemeral:
		return "", nil
	case o.dataDir != "":
		return filepath.Abs(o.dataDir)
	default:
		return pgembed.DefaultDir()
	}
}

// dataDirError says what to do about a folder that cannot be used.
func dataDirError(err error) error {
	return fmt.Errorf("the data folder cannot be used: %s\nChoose another one with --data-dir, or keep nothing with --ephemeral",
		strings.TrimPrefix(err.Error(), "pgembed: "))
}

// schemaError says what to do when the database that dev keeps cannot be migrated: another build may have created it.
func (d *dev) schemaError(err error) error {
	if d.postgres == nil {
		return err
	}
	return fmt.Errorf("%w\nAnother build may have created the database. Delete %s, choose another folder with --data-dir, or keep nothing with --ephemeral",
		err, d.postgres.Dir())
}

func (d *dev) startPostgres(ctx context.Context, dir string) error {
	server, err := pgembed.Start(ctx, pgembed.Options{
		Dir: dir, Unsafe: dir == "",
		Progress: func(sentence string) { fmt.Fprintln(d.out, sentence) },
	})
	switch {
	case errors.Is(err, pgembed.ErrInUse):
		return dataDirError(fmt.Errorf("%w, probably another \"support dev\": stop it", err))
	case errors.Is(err, pgembed.ErrNoBinaries), errors.Is(err, pgembed.ErrUnsupported), ctx.Err() != nil:
		return err
	case err != nil && dir != "":
		return dataDirError(err)
	case err != nil:
		return err
	}
	d.postgres = server
	d.cfg.DatabaseURL = config.Secret(server.URL("postgres"))
	return nil
}

// devSecret returns the secret that is stored with the data, and creates it at the first start. So tokens stay valid
// from one run to the next.
func devSecret(dir string) (config.Secret, error) {
	made := rand.Text() + rand.Text()
	if dir == "" {
		return config.Secret(made), nil
	}
	path := filepath.Join(dir, "jwt_secret")
	kept, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // The database's user needs access to it.
			return "", fmt.Errorf("keep the secret: %w", err)
		}
		return config.Secret(made), os.WriteFile(path, []byte(made), 0o600)
	}
	return config.Secret(strings.TrimSpace(string(kept))), err
}

func (d *dev) startSimulator(ctx context.Context) error {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for the simulator: %w", err)
	}
	d.simulator = &http.Server{
		Handler:           groqsim.New(groqsim.Options{TokensPerSecond: devTokensPerSecond}),
		ReadHeaderTimeout: healthcheckTimeout,
	}
	go func() { _ = d.simulator.Serve(listener) }()
	d.cfg.GroqAPIURL = "http://" + listener.Addr().String()
	d.cfg.GroqAPIKey = "simulated"
	return nil
}

func (d *dev) stop() error {
	var err error
	if d.simulator != nil {
		err = d.simulator.Close()
	}
	if d.postgres != nil {
		err = errors.Join(err, d.postgres.Stop())
	}
	return err
}

func migrateUp(cfg config.Config) error {
	m, err := openMigrator(cfg)
	if err != nil {
		return err
	}
	return errors.Join(m.Up(), m.Close())
}
