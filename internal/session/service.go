// Package session keeps people logged in: it opens their sessions, exchanges refresh tokens, and ends sessions.
//
// A session is one row, whatever has happened to it. Its access tokens and refresh tokens end with it.
package session

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/background"
	"github.com/supportbackend/support/internal/page"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/uuid7"
)

const (
	// maxLifetime is how long a session lasts at most, and maxIdle how long it lasts without a refresh.
	maxLifetime = 30 * 24 * time.Hour
	maxIdle     = 7 * 24 * time.Hour
	// A session may be refreshed refreshBurst times at once, and once more after each refreshPace.
	refreshPace  = 10 * time.Second
	refreshBurst = 60
	// maxSessions is the maximum number of an account's sessions; one more ends the oldest.
	maxSessions = 1000

	// sweepInterval is how often expired sessions are deleted, and maxSwept how many in one statement.
	sweepInterval = time.Minute
	maxSwept      = 500
)

// Options configure a Service.
type Options struct {
	// Secret signs the refresh tokens. It has at least auth.MinSecretBytes.
	Secret []byte
	// AcceptedSecrets are further secrets whose tokens are accepted: the next Secret, or the previous one.
	AcceptedSecrets [][]byte
}

// Service opens, refreshes, lists and ends sessions. Besides the errors that its methods name, each returns the errors
// of store.Store.
type Service struct {
	store         *store.Store
	auth          *auth.Service
	refreshTokens *refreshTokens
}

// NewService returns a Service, or an error without a code when it cannot derive its keys. It tells authn about the
// sessions that it ends, so that their tokens are refused on this server at once.
func NewService(s *store.Store, authn *auth.Service, o Options) (*Service, error) {
	rt, err := newRefreshTokens(append([][]byte{o.Secret}, o.AcceptedSecrets...))
	if err != nil {
		return nil, err
	}
	return &Service{store: s, auth: authn, refreshTokens: rt}, nil
}

// Tokens are a client's tokens of its session.
type Tokens struct {
	Access string
	// ExpiresIn is how long the access token is valid.
	ExpiresIn time.Duration
	// Refresh is the refresh token, for one use.
	Refresh string
}

// Open begins a session for an account whose password was checked. It returns store.ErrNoRows when the account has
// changed since.
func (s *Service) Open(ctx context.Context, user sqlc.User, client Client) (Tokens, error) {
	id := uuid7.New()
	first := s.refreshTokens.make(id)
	version, err := s.store.CreateSession(ctx, sqlc.CreateSessionParams{
		ID: id, UserID: user.ID, PasswordHash: user.PasswordHash, TokenHash: first.hash,
		UserAgent: shortUserAgent(client.UserAgent), ClientNetwork: client.storedNetwork(), IdleSeconds: seconds(maxIdle),
	})
	if err != nil {
		return Tokens{}, err
	}
	// The session has begun in any case; the next log-in tries again.
	_, _ = s.store.DeleteExcessSessions(ctx, sqlc.DeleteExcessSessionsParams{UserID: user.ID, MaxSessions: maxSessions})
	return s.issue(user.ID, id, version, first.text)
}

func (s *Service) issue(account, session uuid.UUID, version int32, refresh string) (Tokens, error) {
	access, ttl, err := s.auth.SignAccessToken(account, session, version)
	return Tokens{Access: access, ExpiresIn: ttl, Refresh: refresh}, err
}

// Refresh exchanges a refresh token for the session's next tokens. A token is for one use. Because a response may be
// lost, the token can be exchanged again until it would have expired, as long as its successor has not been used; the
// previous successor is then void. Any other second use, and the use of a void token, means that two parties have the
// session's tokens: it ends the session.
//
// It returns InvalidToken for anything but a token of a living session, TokenReuse, and RateLimited.
func (s *Service) Refresh(ctx context.Context, token string) (Tokens, error) {
	sent, ok := s.refreshTokens.parse(token)
	if !ok {
		return Tokens{}, invalidRefreshToken(nil)
	}
	next := s.refreshTokens.make(sent.session)
	session, err := s.store.RefreshSession(ctx, sqlc.RefreshSessionParams{
		ID: sent.session, TokenHash: sent.hash, NextHash: next.hash,
		IdleSeconds: seconds(maxIdle), AbsoluteSeconds: seconds(maxLifetime),
		PaceSeconds: seconds(refreshPace), BurstSeconds: seconds((refreshBurst - 1) * refreshPace),
	})
	switch {
	case errors.Is(err, store.ErrNoRows):
		return Tokens{}, s.refuseRefresh(ctx, sent)
	case err != nil:
		return Tokens{}, err
	}
	return s.issue(session.UserID, sent.session, session.TokenVersion, next.text)
}

// refuseRefresh returns why a refresh token was not exchanged, and ends its session if the token was used before.
func (s *Service) refuseRefresh(ctx context.Context, sent refreshToken) error {
	if sent.signed {
		account, err := s.store.DeleteReusedSession(ctx, sqlc.DeleteReusedSessionParams{ID: sent.session, TokenHash: sent.hash})
		if err == nil {
			s.auth.ForgetSession(sent.session)
			s.auth.LogSecurity(ctx, slog.LevelWarn, "refresh token reused", account, slog.Any("session_id", sent.session))
			return apperr.New(apperr.TokenReuse, "The refresh token was used before. Its session has ended: log in again.")
		}
		if !errors.Is(err, store.ErrNoRows) {
			return err
		}
	}
	wait, err := s.store.GetRefreshWait(ctx, sqlc.GetRefreshWaitParams{
		ID: sent.session, TokenHash: sent.hash, BurstSeconds: seconds((refreshBurst - 1) * refreshPace),
	})
	switch {
	case errors.Is(err, store.ErrNoRows):
		return invalidRefreshToken(err)
	case err != nil:
		return err
	}
	return apperr.New(apperr.RateLimited, "The session is refreshed too often.").
		After(max(time.Second, time.Duration(wait*float64(time.Second))))
}

// LogOut ends the actor's own session.
func (s *Service) LogOut(ctx context.Context, actor auth.Actor) error {
	err := s.End(ctx, actor, actor.SessionID)
	if apperr.Is(err, apperr.NotFound) {
		return nil // It has ended already.
	}
	return err
}

// List returns a page of the actor's living sessions, newest first, and where the next page begins, if there is one.
func (s *Service) List(
	ctx context.Context, actor auth.Actor, p page.Page,
) ([]sqlc.ListSessionsByUserRow, *page.Position, error) {
	return page.Read(p, func(before page.Position, limit int32) ([]sqlc.ListSessionsByUserRow, error) {
		return s.store.ListSessionsByUser(ctx, sqlc.ListSessionsByUserParams{
			UserID: actor.ID, BeforeCreatedAt: before.CreatedAt, BeforeID: before.ID, MaxRows: limit,
		})
	}, func(s sqlc.ListSessionsByUserRow) page.Position { return page.At(s.CreatedAt, s.ID) })
}

// End ends one of the actor's sessions, with all its tokens. It returns NotFound, also for somebody else's.
func (s *Service) End(ctx context.Context, actor auth.Actor, id uuid.UUID) error {
	ended, err := s.store.DeleteSession(ctx, sqlc.DeleteSessionParams{ID: id, UserID: actor.ID})
	if err != nil {
		return err
	}
	if ended == 0 {
		return store.NotFound(store.ErrNoRows)
	}
	s.auth.ForgetSession(id)
	s.auth.LogSecurity(ctx, slog.LevelInfo, "session revoked", actor.ID, slog.Any("session_id", id))
	return nil
}

// Tasks returns the periodic work: deleting expired sessions.
func (s *Service) Tasks() []background.Task {
	return []background.Task{{Name: "delete_expired_sessions", Every: sweepInterval, Do: s.Sweep}}
}

// Sweep deletes expired sessions, a batch at a time.
func (s *Service) Sweep(ctx context.Context) error {
	return background.Batches(ctx, maxSwept, func(ctx context.Context, limit, skip int32) (int64, error) {
		return s.store.DeleteExpiredSessions(ctx, sqlc.DeleteExpiredSessionsParams{MaxRows: limit, SkipRows: skip})
	})
}

func invalidRefreshToken(cause error) error {
	return apperr.Wrap(apperr.InvalidToken, "The refresh token is invalid or has expired.", cause)
}

func seconds(d time.Duration) int32 { return int32(d.Seconds()) }
