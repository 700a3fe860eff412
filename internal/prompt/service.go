// Package prompt keeps what administrators tell the AI about the desk, and writes the system prompt of answers.
//
// A [Service] keeps prompts in versions (service.go). A draft may be changed until it is published, and never afterwards, so
// every AI response can name the version that it was written with. At most one version is live; without one, the built-in
// prompt is. System writes the text (text.go and the .txt files).
package prompt

import (
	"context"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/page"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/uuid7"
)

// Service manages the desk's prompts. The caller has decided that the actor may.
type Service struct {
	store *store.Store

	mu sync.Mutex
	// published caches published versions, which never change.
	published map[int32]*sqlc.Prompt
}

// maxPublished bounds the cached versions.
const maxPublished = 100

// NewService returns a Service on the store.
func NewService(s *store.Store) *Service {
	return &Service{store: s, published: make(map[int32]*sqlc.Prompt)}
}

// View is a prompt, with whether it is live.
type View = sqlc.ListPromptsRow

// Settings are the content of a prompt.
type Settings struct {
	Company      string
	Product      string
	Tone         sqlc.PromptTone
	Language     string
	Rules        []string
	Instructions string
}

// equal reports whether these are the prompt's settings.
func (set Settings) equal(p sqlc.Prompt) bool {
	return set.Company == p.Company && set.Product == p.Product && set.Tone == p.Tone && set.Language == p.Language &&
		slices.Equal(set.Rules, p.Rules) && set.Instructions == p.Instructions
}

// Create creates a draft. It returns ValidationFailed for texts that are too long together.
func (s *Service) Create(ctx context.Context, set Settings) (created View, err error) {
	if err := set.check(); err != nil {
		return View{}, err
	}
	id := uuid7.New()
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.LockPrompts(store.Ahead(ctx)); err != nil {
			return err
		}
		created.Prompt, err = s.store.CreatePrompt(store.Last(ctx), sqlc.CreatePromptParams{
			ID: id, Company: set.Company, Product: set.Product, Tone: set.Tone, Language: set.Language, Rules: set.Rules,
			Instructions: set.Instructions,
		})
		return err
	})
	return created, err
}

func (set Settings) check() error {
	return check(sqlc.Prompt{Company: set.Company, Product: set.Product, Rules: set.Rules, Instructions: set.Instructions})
}

// List returns a page of prompts, newest first, and where the next page begins, if there is one.
func (s *Service) List(ctx context.Context, p page.Page) ([]View, *page.Position, error) {
	return page.ReadText(p, func(before page.Position, limit int32) ([]View, error) {
		return s.store.ListPrompts(ctx, sqlc.ListPromptsParams{
			BeforeCreatedAt: before.CreatedAt, BeforeID: before.ID, MaxRows: limit,
		})
	}, sizeOf, func(v View) page.Position { return page.At(v.Prompt.CreatedAt, v.Prompt.ID) })
}

// sizeOf returns the size of a prompt in a page, in bytes.
func sizeOf(v View) int {
	size := len(v.Prompt.Instructions)
	for _, rule := range v.Prompt.Rules {
		size += len(rule)
	}
	return size
}

// Get returns a prompt. It returns NotFound.
func (s *Service) Get(ctx context.Context, id uuid.UUID) (View, error) {
	row, err := s.store.GetPrompt(ctx, id)
	return View(row), store.NotFound(err)
}

// Update replaces a draft's settings, if the caller accepts its revision. The settings that it has already have no effect. It
// returns NotFound, PreconditionFailed, PromptPublished for a published prompt, and ValidationFailed for texts that are too long
// together.
func (s *Service) Update(
	ctx context.Context, id uuid.UUID, set Settings, accept func(revision int64) bool,
) (updated View, err error) {
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		before, err := s.lock(ctx, id, accept)
		if err != nil {
			return err
		}
		if err := set.check(); err != nil {
			return err
		}
		if before.Prompt.PublishedAt != nil {
			return apperr.New(apperr.PromptPublished, "The prompt was published and no longer changes.")
		}
		if updated = before; set.equal(before.Prompt) {
			return nil
		}
		updated.Prompt, err = s.store.UpdatePrompt(store.Last(ctx), sqlc.UpdatePromptParams{
			ID: id, Company: set.Company, Product: set.Product, Tone: set.Tone, Language: set.Language, Rules: set.Rules,
			Instructions: set.Instructions,
		})
		return err
	})
	return updated, err
}

// Publish makes a prompt live, a draft or an earlier version, if the caller accepts its revision. Answers that begin
// from then on use it, on all replicas. It returns NotFound and PreconditionFailed.
func (s *Service) Publish(
	ctx context.Context, actor auth.Actor, id uuid.UUID, accept func(revision int64) bool,
) (published View, err error) {
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.LockPrompts(store.Ahead(ctx)); err != nil {
			return err
		}
		if published, err = s.lock(ctx, id, accept); err != nil || published.Live {
			return err
		}
		published.Live = true
		published.Prompt, err = s.store.PublishPrompt(store.Last(ctx), sqlc.PublishPromptParams{
			ID: id, ActorKind: actor.Kind(), Actor: actor.ID,
		})
		return err
	})
	return published, err
}

// Withdraw returns to the built-in prompt, if this one is live. It returns NotFound.
func (s *Service) Withdraw(ctx context.Context, actor auth.Actor, id uuid.UUID) (withdrawn View, err error) {
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.LockPrompts(store.Ahead(ctx)); err != nil {
			return err
		}
		if withdrawn, err = s.lock(ctx, id, func(int64) bool { return true }); err != nil || !withdrawn.Live {
			return err
		}
		withdrawn.Live = false
		return s.store.WithdrawPrompt(store.Last(ctx), sqlc.WithdrawPromptParams{
			ID: id, ActorKind: actor.Kind(), Actor: actor.ID,
		})
	})
	return withdrawn, err
}

// lock returns a prompt, locked until the transaction ends. It returns NotFound and PreconditionFailed.
func (s *Service) lock(ctx context.Context, id uuid.UUID, accept func(revision int64) bool) (View, error) {
	row, err := s.store.LockPrompt(ctx, id)
	if err != nil {
		return View{}, store.NotFound(err)
	}
	if !accept(row.Prompt.Revision) {
		return View{}, apperr.New(apperr.PreconditionFailed, "The prompt has changed since the version in If-Match.")
	}
	return View(row), nil
}

// Version returns the published prompt with the version, or nil, the built-in prompt, for nil. It reads each version from
// the database once, because versions never change.
func (s *Service) Version(ctx context.Context, version *int32) (*sqlc.Prompt, error) {
	if version == nil {
		return nil, nil
	}
	s.mu.Lock()
	p := s.published[*version]
	s.mu.Unlock()
	if p != nil {
		return p, nil
	}
	row, err := s.store.GetPromptByVersion(ctx, *version)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.published) >= maxPublished {
		clear(s.published)
	}
	s.published[*version] = &row
	return &row, nil
}
