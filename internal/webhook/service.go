// Package webhook sends what happens on the desk to other servers. A dispatcher reads the journal and creates a delivery
// for each entry and each webhook that wants it (dispatcher.go). A job for each webhook with something to send makes the
// attempts (worker.go, sender.go). So a webhook uses one worker, however much waits for it, and a slow receiver does not
// delay the others.
//
// Delivery is at least once: an attempt is recorded afterwards, in the transaction that finishes its job. Whatever a server
// was sending when it was killed is sent again, under the same id.
package webhook

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/background"
	"github.com/supportbackend/support/internal/guard"
	"github.com/supportbackend/support/internal/journal"
	"github.com/supportbackend/support/internal/page"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/uuid7"
)

const (
	maxWebhooks = 100
	// rotation is how long the previous secret signs too.
	rotation = 24 * time.Hour
	// maxAttemptsShown is how many attempts of a delivery can be read.
	maxAttemptsShown = 100
)

// Options configure a Service.
type Options struct {
	// Secret seals the webhooks' secrets, and AcceptedSecrets also open them.
	Secret          []byte
	AcceptedSecrets [][]byte
	// Journal is the source of events, and Encode converts an entry for full deliveries.
	Journal *journal.Service
	Encode  func(journal.Entry) any
	// Guard decides which addresses may receive deliveries.
	Guard *guard.Guard
	// Resolver resolves receivers' names; nil means the system's.
	Resolver *net.Resolver
	Metrics  *metrics.Set
	Logger   *slog.Logger
}

// Service manages webhooks and delivers to them. Callers have decided that the actor is an administrator. Besides the
// errors that its methods name, each returns the errors of store.Store.
type Service struct {
	store   *store.Store
	jobs    *background.Jobs
	journal *journal.Service
	encode  func(journal.Entry) any
	seals   *seals
	guard   *guard.Guard
	sender  *sender
	metrics *webhookMetrics
	logger  *slog.Logger
	// unreadable has the ids of the webhooks that Reseal has named in the log.
	unreadable sync.Map
}

// NewService returns a Service whose deliveries are among the jobs.
func NewService(s *store.Store, jobs *background.Jobs, o Options) (*Service, error) {
	sealed, err := newSeals(append([][]byte{o.Secret}, o.AcceptedSecrets...))
	if err != nil {
		return nil, err
	}
	service := &Service{
		store: s, jobs: jobs, journal: o.Journal, encode: o.Encode, seals: sealed, guard: o.Guard,
		sender: newSender(o.Guard, o.Resolver), metrics: newMetrics(o.Metrics), logger: o.Logger,
	}
	background.AddWorker(jobs, &worker{Service: service}, queue, webhooksAtOnce)
	jobs.Repeat(service.tasks()...)
	return service, nil
}

// NewWebhook describes a new webhook.
type NewWebhook struct {
	URL         string
	Description *string
	// Types are the types of events to deliver; empty for all.
	Types   []string
	Payload sqlc.WebhookPayload
}

// Change is a change of a webhook; a nil member leaves its value unchanged.
type Change struct {
	URL         *string
	Description *string
	Types       []string
	Payload     *sqlc.WebhookPayload
	Paused      *bool
}

// Create creates a webhook. Nothing else ever returns its secret. It returns ValidationFailed for a URL that is not
// allowed, and when there are too many webhooks.
func (s *Service) Create(ctx context.Context, n NewWebhook) (hook sqlc.Webhook, text string, err error) {
	if err := s.checkURL(n.URL); err != nil {
		return hook, "", err
	}
	id, made := uuid7.New(), newSecret()
	hook, err = s.store.CreateWebhook(ctx, sqlc.CreateWebhookParams{
		ID: id, URL: n.URL, Description: n.Description, Types: append([]string{}, n.Types...), Payload: n.Payload,
		Secret: s.seals.seal(id, made), MaxWebhooks: maxWebhooks,
	})
	if isNoRow(err) {
		return hook, "", apperr.New(apperr.ValidationFailed, fmt.Sprintf("The limit of %d webhooks is reached.", maxWebhooks))
	}
	return hook, made.text(), err
}

// checkURL refuses URLs that are never allowed. Whether a name leads to an allowed address is checked when it is dialled.
func (s *Service) checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return invalidURL(apperr.InvalidFormat)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || s.guard.AllowsNone()) {
		return invalidURL(apperr.NotAllowed)
	}
	addr, err := netip.ParseAddr(u.Hostname())
	if err == nil && (s.guard.Check(netip.AddrPortFrom(addr, portOf(u))) != nil || u.Scheme == "http" && !s.guard.Allows(addr)) {
		return invalidURL(apperr.NotAllowed)
	}
	return nil
}

func portOf(u *url.URL) uint16 {
	if u.Port() == "" {
		return 443
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil {
		return 0
	}
	return uint16(port)
}

func invalidURL(code apperr.FieldCode) error {
	return apperr.New(apperr.ValidationFailed, "Webhooks must not be sent to this URL.").
		At(apperr.Field{Pointer: "/url", Code: code})
}

// List returns a page of webhooks, newest first, and where the next page begins, if there is one.
func (s *Service) List(ctx context.Context, p page.Page) ([]sqlc.Webhook, *page.Position, error) {
	return page.Read(p, func(before page.Position, limit int32) ([]sqlc.Webhook, error) {
		return s.store.ListWebhooks(ctx, sqlc.ListWebhooksParams{
			BeforeCreatedAt: before.CreatedAt, BeforeID: before.ID, MaxRows: limit,
		})
	}, func(w sqlc.Webhook) page.Position { return page.At(w.CreatedAt, w.ID) })
}

// Get returns a webhook. It returns NotFound.
func (s *Service) Get(ctx context.Context, id uuid.UUID) (sqlc.Webhook, error) {
	hook, err := s.store.GetWebhook(ctx, id)
	return hook, store.NotFound(err)
}

// Update changes a webhook. A paused webhook keeps its deliveries and gets no new ones. When it resumes, it gets what it
// missed and the journal still has, and is enabled again. It returns NotFound, and ValidationFailed as Create does.
func (s *Service) Update(ctx context.Context, id uuid.UUID, c Change) (hook sqlc.Webhook, err error) {
	if _, err := s.Get(ctx, id); err != nil {
		return hook, err
	}
	if c.URL != nil {
		if err := s.checkURL(*c.URL); err != nil {
			return hook, err
		}
	}
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		if err := s.pause(ctx, id, c.Paused); err != nil {
			return err
		}
		hook, err = s.store.UpdateWebhook(ctx, sqlc.UpdateWebhookParams{
			ID: id, URL: c.URL, Description: c.Description, Types: c.Types, Payload: c.Payload,
		})
		return store.NotFound(err)
	})
	return hook, err
}

// pause pauses or resumes a webhook, unless paused is nil. The dispatcher's next pass finds what has become due.
func (s *Service) pause(ctx context.Context, id uuid.UUID, paused *bool) error {
	if paused == nil {
		return nil
	}
	if *paused {
		return s.store.PauseWebhook(ctx, id)
	}
	if err := s.store.ResumeWebhook(ctx, id); err != nil {
		return err
	}
	return s.enqueue(ctx, id)
}

// Delete deletes a webhook. It returns NotFound.
func (s *Service) Delete(ctx context.Context, id uuid.UUID) error {
	deleted, err := s.store.DeleteWebhook(ctx, id)
	if err == nil && deleted == 0 {
		err = store.NotFound(store.ErrNoRows)
	}
	return err
}

// RotateSecret replaces a webhook's secret. It returns the new secret, which nothing else ever returns, and the time
// until which the previous one also signs. It returns NotFound.
func (s *Service) RotateSecret(ctx context.Context, id uuid.UUID) (text string, until time.Time, err error) {
	made := newSecret()
	hook, err := s.store.RotateWebhookSecret(ctx, sqlc.RotateWebhookSecretParams{
		ID: id, Secret: s.seals.seal(id, made), KeptSeconds: int32(rotation.Seconds()),
	})
	if err != nil {
		return "", time.Time{}, store.NotFound(err)
	}
	return made.text(), *hook.PreviousExpiresAt, nil
}
