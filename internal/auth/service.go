package auth

import (
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/store"
)

// Options configure a Service.
type Options struct {
	// Secret signs access tokens and stream tokens. It has at least MinSecretBytes.
	Secret []byte
	// AcceptedSecrets are further secrets whose tokens are accepted: the next Secret, or the previous one.
	AcceptedSecrets [][]byte
	// TokenTTL is how long an access token is valid.
	TokenTTL time.Duration
	// Now is the clock for tokens; nil means time.Now. Sessions use the database's clock.
	Now func() time.Time
	// Logger receives security events and failures of background work; nil discards them.
	Logger *slog.Logger
}

// Service authenticates callers. Besides the errors that its methods name, each returns the errors of store.Store.
type Service struct {
	store        *store.Store
	tokens       *tokens
	streamTokens *streamTokens
	sessions     *principalCache[uuid.UUID]
	keys         *principalCache[uuid.UUID]
	customers    *principalCache[customerName]
	used         *usedKeys
	logger       *slog.Logger
}

// NewService returns a Service, or an error without a code when a secret is too short.
func NewService(s *store.Store, o Options) (*Service, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	secrets := append([][]byte{o.Secret}, o.AcceptedSecrets...)
	t, err := newTokens(secrets, o.TokenTTL, o.Now)
	if err != nil {
		return nil, err
	}
	st, err := newStreamTokens(secrets, o.Now)
	if err != nil {
		return nil, err
	}
	return &Service{
		store: s, tokens: t, streamTokens: st, logger: o.Logger,
		sessions:  newPrincipalCache[uuid.UUID](o.Now),
		keys:      newPrincipalCache[uuid.UUID](o.Now),
		customers: newPrincipalCache[customerName](o.Now),
		used:      &usedKeys{ids: make(map[uuid.UUID]struct{})},
	}, nil
}

// ForgetAccount removes an account's sessions and keys from this server's cache. Call it after the account has changed.
func (s *Service) ForgetAccount(id uuid.UUID) {
	s.sessions.forgetAccount(id)
	s.keys.forgetAccount(id)
	s.customers.forgetAccount(id)
}

// ForgetSession removes a session from this server's cache. Call it after the session has ended.
func (s *Service) ForgetSession(id uuid.UUID) { s.sessions.forget(id) }

// ForgetAPIKey removes an API key from this server's cache. Call it after the key was revoked.
func (s *Service) ForgetAPIKey(id uuid.UUID) { s.keys.forget(id) }

func invalidToken(cause error) error {
	return apperr.Wrap(apperr.InvalidToken, "The access token is invalid or has expired.", cause)
}
