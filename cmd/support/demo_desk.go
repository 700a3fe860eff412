package main

import (
	"context"
	_ "embed"
	"errors"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/app"
	"github.com/supportbackend/support/internal/config"
)

// demoStories are the texts of the demo desk's tickets.
//
//go:embed demo_stories.json
var demoStories []byte

// fillDemoDesk fills a desk without tickets with customers, teams and half a year of tickets.
func fillDemoDesk(ctx context.Context, cfg config.Config) (err error) {
	s, err := app.OpenStore(ctx, cfg, 1)
	if err != nil {
		return err
	}
	defer s.Close()
	var members []uuid.UUID
	for _, email := range []string{demoAdmin, demoStaff} {
		user, findErr := s.GetUserByEmail(ctx, email)
		members, err = append(members, user.ID), errors.Join(err, findErr)
	}
	if err != nil {
		return err
	}
	return s.CreateDemoDesk(ctx, sqlc.CreateDemoDeskParams{Stories: demoStories, Members: members, Model: cfg.GroqModel})
}
