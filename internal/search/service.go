// Package search searches tickets and messages.
//
// Besides the errors that they name, all methods return the errors of store.Store.
package search

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/background"
	"github.com/supportbackend/support/internal/page"
	"github.com/supportbackend/support/internal/store"
)

const (
	// maxCandidates is how many of the newest matches are ranked.
	maxCandidates = 500

	// indexInterval is how often new texts are indexed, and maxIndexed how many in one statement. rebuildInterval is how often
	// a replica checks whether the index has another language.
	indexInterval   = time.Second
	maxIndexed      = 200
	rebuildInterval = 30 * time.Second
)

// Service searches, and maintains its index.
type Service struct {
	store *store.Store
	// language is a text search configuration of PostgreSQL.
	language string
	logger   *slog.Logger
}

// NewService returns a Service on the store for a language, which is a text search configuration of PostgreSQL. If the
// database does not have it, the Service uses "simple", which compares whole words.
func NewService(s *store.Store, language string, logger *slog.Logger) *Service {
	return &Service{store: s, language: language, logger: logger}
}

// Result is a matching ticket or message. ScoreAt is its position in the list: its time, shifted by how well it
// matches.
type Result = sqlc.FindSearchResultsRow

// Search returns a page of the matching tickets and messages that the actor may see, best first, and where the next
// page begins, if there is one. It ranks the newest 500 matches.
func (s *Service) Search(ctx context.Context, actor auth.Actor, query string, p page.Page) ([]Result, *page.Position, error) {
	return page.Read(p, func(before page.Position, limit int32) ([]Result, error) {
		return s.store.FindSearchResults(ctx, sqlc.FindSearchResultsParams{
			ActorID: actor.ID, Staff: actor.IsStaff(), Query: query, MaxCandidates: maxCandidates,
			BeforeScoreAt: before.CreatedAt, BeforeID: before.ID, MaxRows: limit,
		})
	}, func(r Result) page.Position { return page.At(r.ScoreAt, r.ID) })
}

// Run indexes new texts until ctx ends. All replicas may run it.
func (s *Service) Run(ctx context.Context) {
	outage := &background.Outage{While: "indexing for the search", Logger: s.logger}
	prepared := false
	var rebuilt time.Time
	background.Every(ctx, indexInterval, outage, func(ctx context.Context) error {
		if !prepared {
			if err := s.Prepare(ctx); err != nil {
				return err
			}
			prepared = true
		}
		if time.Since(rebuilt) < rebuildInterval {
			return s.indexQueued(ctx)
		}
		rebuilt = time.Now()
		return s.Index(ctx)
	})
}

// Prepare sets the index's language. If it was another one, Index indexes everything again.
func (s *Service) Prepare(ctx context.Context) error {
	language, err := s.store.GetSearchLanguage(ctx, s.language)
	switch {
	case err != nil:
		return err
	case language != s.language:
		s.logger.WarnContext(ctx, "the database has no such text search configuration, so searches compare whole words", slog.String("setting", s.language))
	}
	changed, err := s.store.SetSearchLanguage(ctx, language)
	if changed > 0 {
		s.logger.InfoContext(ctx, "search language changed, indexing again", slog.String("language", language))
	}
	return err
}

// Index indexes everything in the queue and, in small batches in between, texts that were indexed in another language.
func (s *Service) Index(ctx context.Context) error {
	for {
		if err := s.indexQueued(ctx); err != nil {
			return err
		}
		more, err := s.store.RebuildSearchIndex(ctx, maxIndexed)
		switch {
		case errors.Is(err, store.ErrNoRows): // Nothing is left, or another replica is at work.
			return nil
		case err != nil:
			return err
		case !more:
			s.logger.InfoContext(ctx, "search index rebuilt")
		}
	}
}

// indexQueued indexes everything that is waiting for it.
func (s *Service) indexQueued(ctx context.Context) error {
	return background.Batches(ctx, maxIndexed, func(ctx context.Context, limit, skip int32) (int64, error) {
		return s.store.IndexQueued(ctx, sqlc.IndexQueuedParams{MaxRows: limit, SkipRows: skip})
	})
}
