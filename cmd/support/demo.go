package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/supportbackend/support/internal/account"
	"github.com/supportbackend/support/internal/apikey"
	"github.com/supportbackend/support/internal/app"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/config"
)

// The demo accounts of the documentation. Everybody knows their password, so they exist in a private database only.
const (
	demoPassword = "correct horse battery"
	demoAdmin    = "admin@example.com"
	demoStaff    = "staff@example.com"
	demoCustomer = "ada@example.com"

	// demoKeyFile keeps the API key beside the database, because nothing shows it again.
	demoKeyFile = "demo_api_key"
)

// makeDemo creates the demo accounts and the API key, unless the key exists, and returns the key.
func makeDemo(ctx context.Context, cfg config.Config, dir string) (key string, err error) {
	s, err := app.OpenStore(ctx, cfg, 1)
	if err != nil {
		return "", err
	}
	defer s.Close()
	authn, accounts, err := newAccounts(s, cfg)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, demoKeyFile)
	kept, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read the demo API key: %w", err)
	}
	if _, err := authn.Authenticate(ctx, string(kept)); err == nil {
		return string(kept), nil
	}
	for _, n := range []account.NewAccount{
		{Email: demoAdmin, Role: auth.RoleAdmin, DisplayName: new("Grace")},
		{Email: demoStaff, Role: auth.RoleAgent, DisplayName: new("Sam")},
		{Email: demoCustomer, Role: auth.RoleUser, DisplayName: new("Ada")},
	} {
		n.Password = demoPassword
		if _, err := accounts.Create(ctx, nil, n); err != nil && !apperr.Is(err, apperr.EmailTaken) {
			return "", err
		}
	}
	_, key, err = apikey.NewService(s, authn).Create(ctx, auth.Actor{}, apikey.NewKey{
		Name:   "Demo shop",
		Scopes: []auth.Scope{auth.ScopeTicketsRead, auth.ScopeTicketsWrite, auth.ScopeAI, auth.ScopeOnBehalf},
	})
	if err != nil {
		return "", err
	}
	return key, os.WriteFile(path, []byte(key), 0o600) //nolint:gosec // The path is ours.
}
