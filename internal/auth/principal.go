package auth

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"

	"github.com/supportbackend/support/internal/store"
)

// Authenticate returns the account that an access token or an API key speaks for. What it says of the account and of the
// session or the key is at most accountTTL old. It returns InvalidToken, the same for every fault.
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

// Recheck reports whether the actor is still what it was when it was authenticated: its session or API key lives, its
// account has the same role and is not disabled. Whether the access token has expired since does not matter. It returns
// InvalidToken.
func (s *Service) Recheck(ctx context.Context, actor Actor) error {
	now, err := s.current(ctx, actor)
	if err != nil {
		return err
	}
	now.DisplayName = actor.DisplayName // Whoever gets another name stays who they are.
	if now != actor {
		return invalidToken(errToken)
	}
	return nil
}

// current returns the actor as its session or API key makes it now. It returns InvalidToken.
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

// principalOf returns whom a session speaks for, from the cache unless that is older than the version which the token
// names: a token that was just issued is good at once. It returns InvalidToken.
func (s *Service) principalOf(ctx context.Context, session uuid.UUID, version int32) (principal, error) {
	if p, ok := s.sessions.get(session); ok && p.tokenVersion >= version {
		return p, nil
	}
	asked := s.sessions.now()
	row, err := s.store.GetSessionAccount(ctx, session)
	if errors.Is(err, store.ErrNoRows) {
		// It speaks for nobody, and tokens of it that come again cost no further query meanwhile.
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
