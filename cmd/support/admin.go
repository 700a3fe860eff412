package main

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/supportbackend/support/internal/account"
	"github.com/supportbackend/support/internal/app"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/config"
	"github.com/supportbackend/support/internal/session"
	"github.com/supportbackend/support/internal/store"
)

func adminCommand() *cobra.Command {
	return group("admin", "Look after accounts", adminCreateCommand())
}

func adminCreateCommand() *cobra.Command {
	var email, role string
	var passwordStdin bool
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Create an account for staff: the first administrator, for example",
		Long: "Create an account for staff in the database of DATABASE_URL. Without --password-stdin a password is made up\n" +
			"and printed, once.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if email == "" {
				return usageError(cmd, errors.New("--email is missing"))
			}
			if role != string(auth.RoleAdmin) && role != string(auth.RoleAgent) {
				return usageError(cmd, errors.New("--role is admin or agent"))
			}
			cfg, err := loadConfig(config.NeedDatabase)
			if err != nil {
				return err
			}
			password := rand.Text()
			if passwordStdin {
				if password, err = readLine(cmd.InOrStdin()); err != nil {
					return err
				}
			}
			if err := createStaff(cmd, cfg, account.NewAccount{Email: email, Password: password, Role: auth.Role(role)}); err != nil {
				return err
			}
			if !passwordStdin {
				fmt.Fprintf(cmd.OutOrStdout(), "password: %s\n", password)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&email, "email", "", "the account's e-mail address")
	cmd.Flags().StringVar(&role, "role", string(auth.RoleAdmin), "admin or agent")
	cmd.Flags().BoolVar(&passwordStdin, "password-stdin", false, "read the password from the first line of standard input")
	return cmd
}

func createStaff(cmd *cobra.Command, cfg config.Config, n account.NewAccount) error {
	s, err := app.OpenStore(cmd.Context(), cfg, 1)
	if err != nil {
		return settingsError{err}
	}
	defer s.Close()
	if err := s.Ready(cmd.Context()); err != nil {
		return err
	}
	_, accounts, err := newAccounts(s, cfg)
	if err != nil {
		return err
	}
	user, err := accounts.Create(cmd.Context(), nil, n)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "created %s %s (%s)\n", user.Role, user.Email, user.ID)
	return nil
}

// newAccounts returns services that log nothing. They sign no tokens, so any secret will do.
func newAccounts(s *store.Store, cfg config.Config) (*auth.Service, *account.Service, error) {
	options := app.OptionsOf(cfg)
	options.Auth.Secret = []byte(rand.Text() + rand.Text())
	options.Account.Secret = options.Auth.Secret
	authn, err := auth.NewService(s, options.Auth)
	if err != nil {
		return nil, nil, err
	}
	sessions, err := session.NewService(s, authn, session.Options{Secret: options.Auth.Secret})
	if err != nil {
		return nil, nil, err
	}
	return authn, account.NewService(s, authn, sessions, options.Account), nil
}

func readLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, 1024)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}
