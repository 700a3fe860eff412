package auth

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"

	"github.com/supportbackend/support/internal/store"
)

// Authenticate returns the actor of an access token or an API key. What it knows about the account and the session or
// key is at most accountTTL old. It returns InvalidToken, the same for every fault.
func (s *Service) Authenticate(ctx context.Context, token string) (Actor, error) {
	if strings.HasPrefix(token, apiKeyPrefix) {
		return s.authenticateKey(ctx, token)
	}
	c, err := s.tokens.verify(token)
	if err != nil {
		return Actor{}, invalidToken(err)
	}
	p, err := s.principalOf(ctx, c.session, c.Version)
	if err != nil {
		return Actor{}, err
	}
	if p.actor.ID != c.subject || p.tokenVersion != c.Version {
		return Actor{}, invalidToken(errToken)
	}
	return p.actor, nil
}

// Recheck checks that the actor is unchanged since it was authenticated: its session or API key is alive, and its
// account has the same role and is not disabled. It ignores the expiry of the access token. It returns InvalidToken.
func (s *Service) Recheck(ctx context.Context, actor Actor) error {
	now, err := s.current(ctx, actor)
	if err != nil {
		return err
	}
	now.DisplayName = actor.DisplayName // A new name does not end a stream.
	if now != actor {
		return invalidToken(errToken)
	}
	return nil
}

// current returns the current state of the actor. It returns InvalidToken.
func (s *Service) current(ctx context.Context, actor Actor) (Actor, error) {
	if actor.KeyID == uuid.Nil {
		p, err := s.principalOf(ctx, actor.SessionID, 0)
		return p.actor, err
	}
	p, err := s.keyPrincipal(ctx, actor.KeyID)
	if err != nil || p.actor.ID == actor.ID {
		return p.actor, err
	}
	return s.customerByID(ctx, p.actor, actor.ID)
}

// principalOf returns the principal of a session. It uses the cache unless the token names a newer version, so that a
// token is valid as soon as it is issued. It returns InvalidToken.
func (s *Service) principalOf(ctx context.Context, session uuid.UUID, version int32) (principal, error) {
	if p, ok := s.sessions.get(session); ok && p.tokenVersion >= version {
		return p, nil
	}
	asked := s.sessions.now()
	row, err := s.store.GetSessionAccount(ctx, session)
	if errors.Is(err, store.ErrNoRows) {
		// The session has ended. Remember that too, so that its tokens cause no further queries for now.
		s.sessions.put(session, principal{tokenVersion: version}, asked)
		return principal{}, invalidToken(err)
	}
	if err != nil {
		return principal{}, err
	}
	p := principal{
		actor:        Actor{ID: row.ID, Email: row.Email, DisplayName: name(row.DisplayName), Role: row.Role, SessionID: session},
		tokenVersion: row.TokenVersion,
	}
	s.sessions.put(session, p, asked)
	return p, nil
}
