package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/supportbackend/support/internal/app"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/config"
	"github.com/supportbackend/support/internal/page"
)

// The demo accounts, which documents name. Everybody knows their password: they are made in a private database only.
const (
	demoPassword = "correct horse battery"
	demoAdmin    = "admin@example.com"
	demoStaff    = "staff@example.com"
	demoCustomer = "ada@example.com"

	// demoKeyFile keeps the API key beside the database that knows it: nothing else shows it again.
	demoKeyFile = "demo_api_key"
)

// makeDemo makes the demo accounts and the API key that are missing, and returns the key.
func makeDemo(ctx context.Context, cfg config.Config, dir string) (key string, err error) {
	s, err := app.OpenStore(ctx, cfg, 1)
	if err != nil {
		return "", err
	}
	defer s.Close()
	accounts, err := newAccounts(s)
	if err != nil {
		return "", err
	}
	for email, role := range map[string]auth.Role{
		demoAdmin: auth.RoleAdmin, demoStaff: auth.RoleAgent, demoCustomer: auth.RoleUser,
	} {
		if err := makeDemoAccount(ctx, accounts, email, role); err != nil {
			return "", err
		}
	}
	path := filepath.Join(dir, demoKeyFile)
	kept, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read the demo API key: %w", err)
	}
	if _, err := accounts.Authenticate(ctx, string(kept)); err == nil {
		return string(kept), nil
	}
	_, key, err = accounts.CreateAPIKey(ctx, auth.Actor{}, auth.NewAPIKey{
		Name:   "Demo shop",
		Scopes: []auth.Scope{auth.ScopeTicketsRead, auth.ScopeTicketsWrite, auth.ScopeAI, auth.ScopeOnBehalf},
	})
	if err != nil {
		return "", err
	}
	return key, os.WriteFile(path, []byte(key), 0o600)
}

// makeDemoAccount looks for the account first, because making one computes a hash.
func makeDemoAccount(ctx context.Context, accounts *auth.Service, email string, role auth.Role) error {
	found, _, err := accounts.ListAccounts(ctx, auth.AccountFilter{Email: email}, page.Page{Limit: 1})
	if err != nil || len(found) > 0 {
		return err
	}
	_, err = accounts.CreateAccount(ctx, email, demoPassword, role)
	if taken := new(apperr.Error); errors.As(err, &taken) && taken.Code == apperr.EmailTaken {
		return nil
	}
	return err
}
