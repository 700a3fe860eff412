package auth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/store"
)

// DefaultTokenTTL is how long an access token is valid, unless Options says otherwise.
const DefaultTokenTTL = 15 * time.Minute

// Options are what a Service can be told.
type Options struct {
	// Secret signs the access tokens. It has MinSecretBytes at least.
	Secret []byte
	// TokenTTL is how long an access token is valid; 0 means DefaultTokenTTL.
	TokenTTL time.Duration
	// Limits are how often strangers may try something; the zero value is without limits.
	Limits Limits
	// Now is the clock of tokens; nil means time.Now.
	Now func() time.Time
}

// Service makes accounts and checks who is asking. Besides the errors that its methods name, each returns what
// store.Store returns.
type Service struct {
	store    *store.Store
	hasher   *hasher
	tokens   *tokens
	accounts *accountCache
	attempts *attempts
	limits   Limits
}

// AccessToken is a signed token and how long it is valid.
type AccessToken struct {
	Token     string
	ExpiresIn time.Duration
}

// NewService returns a Service, or an error without a code when the secret is too short.
func NewService(s *store.Store, o Options) (*Service, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.TokenTTL == 0 {
		o.TokenTTL = DefaultTokenTTL
	}
	t, err := newTokens(o.Secret, o.TokenTTL, o.Now)
	if err != nil {
		return nil, err
	}
	h, err := newHasher()
	if err != nil {
		return nil, err
	}
	return &Service{
		store: s, hasher: h, tokens: t, accounts: newAccountCache(o.Now),
		attempts: newAttempts(s, o.Secret), limits: o.Limits,
	}, nil
}

// SignUp creates a customer account for somebody unknown.
//
// It returns RoleNotAllowed for any role but user, TooManyAttempts when the client has asked for too many, taken
// addresses included, and otherwise what CreateAccount returns.
func (s *Service) SignUp(
	ctx context.Context, client netip.Addr, email, password string, role Role,
) (user sqlc.User, err error) {
	if role != RoleUser {
		return sqlc.User{}, apperr.New(apperr.RoleNotAllowed, `Only the role "user" may be asked for here.`)
	}
	try, err := s.attempts.begin(ctx, s.limits.SignUps, signUpWindow, "sign-up", addressOf(client))
	if err != nil {
		return sqlc.User{}, err
	}
	user, err = s.CreateAccount(ctx, email, password, role)
	end := undecided
	if err == nil || apperr.Is(err, apperr.EmailTaken) {
		end = counts
	}
	try.end(ctx, end)
	return user, err
}

// CreateAccount creates an account with any role: the caller has decided that it may.
//
// It returns ValidationFailed for what is no e-mail address or too short or long a password, WeakPassword for a common
// one, EmailTaken, and ServerBusy. The hash is computed before the address is looked at, so that a taken one takes as
// long.
func (s *Service) CreateAccount(
	ctx context.Context, email, password string, role Role,
) (sqlc.User, error) {
	address, ok := NormalizeEmail(email)
	if !ok {
		return sqlc.User{}, invalidField("/email", apperr.InvalidFormat)
	}
	if err := checkNewPassword(password); err != nil {
		return sqlc.User{}, err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return sqlc.User{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return sqlc.User{}, fmt.Errorf("auth: make an id: %w", err)
	}
	user, err := s.store.CreateUser(ctx, sqlc.CreateUserParams{ID: id, Email: address, PasswordHash: hash, Role: role})
	if errors.Is(err, store.ErrNoRows) {
		return sqlc.User{}, apperr.New(apperr.EmailTaken, "There is an account with this e-mail address.")
	}
	return user, err
}

// LogIn exchanges an e-mail address and a password for an access token.
//
// It returns InvalidCredentials for an unknown address as for a wrong password, after the same work, TooManyAttempts
// when the client's network has done so too often, and ServerBusy.
func (s *Service) LogIn(ctx context.Context, client netip.Addr, email, password string) (AccessToken, error) {
	address, ok := NormalizeEmail(email)
	if !ok {
		address = email
	}
	try, err := s.attempts.begin(ctx, s.limits.FailedLogIns, logInWindow, "log-in", address, networkOf(client))
	if err != nil {
		return AccessToken{}, err
	}
	token, err := s.logIn(ctx, email, password)
	end := undecided
	switch {
	case err == nil:
		end = clears
	case apperr.Is(err, apperr.InvalidCredentials):
		end = counts
	}
	try.end(ctx, end)
	return token, err
}

func (s *Service) logIn(ctx context.Context, email, password string) (AccessToken, error) {
	user, known, err := s.userByEmail(ctx, email)
	if err != nil {
		return AccessToken{}, err
	}
	hash := s.hasher.dummy
	if known {
		hash = user.PasswordHash
	}
	ok, outdated, err := s.hasher.verify(ctx, password, hash)
	if err != nil {
		return AccessToken{}, err
	}
	if !ok || !known {
		return AccessToken{}, apperr.New(apperr.InvalidCredentials, "The e-mail address or the password is wrong.")
	}
	if outdated {
		// The password is right all the same; the next log-in tries again.
		_ = s.rehash(ctx, user, password)
	}
	token, err := s.tokens.sign(user.ID)
	return AccessToken{Token: token, ExpiresIn: s.tokens.ttl}, err
}

// Authenticate returns the account that an access token speaks for. What it says of the account, its role and that it
// exists, is at most accountTTL old. It returns InvalidToken, the same for every fault.
func (s *Service) Authenticate(ctx context.Context, token string) (Actor, error) {
	id, err := s.tokens.verify(token)
	if err != nil {
		return Actor{}, invalidToken(err)
	}
	if actor, ok := s.accounts.get(id); ok {
		return actor, nil
	}
	user, err := s.store.GetUserByID(ctx, id)
	if errors.Is(err, store.ErrNoRows) {
		return Actor{}, invalidToken(err)
	}
	if err != nil {
		return Actor{}, err
	}
	actor := Actor{ID: user.ID, Email: user.Email, Role: user.Role}
	s.accounts.put(actor)
	return actor, nil
}

func (s *Service) userByEmail(ctx context.Context, email string) (user sqlc.User, known bool, err error) {
	address, ok := NormalizeEmail(email)
	if !ok {
		// No account has it, but the question takes the same round trip.
		address = ""
	}
	user, err = s.store.GetUserByEmail(ctx, address)
	if errors.Is(err, store.ErrNoRows) {
		return sqlc.User{}, false, nil
	}
	return user, err == nil, err
}

func (s *Service) rehash(ctx context.Context, user sqlc.User, password string) error {
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	return s.store.UpdateUserPasswordHash(ctx, sqlc.UpdateUserPasswordHashParams{
		ID: user.ID, OldHash: user.PasswordHash, NewHash: hash,
	})
}

const (
	minPasswordRunes = 8
	maxPasswordRunes = 128
)

func checkNewPassword(password string) error {
	switch length := len([]rune(password)); {
	case length < minPasswordRunes:
		return invalidField("/password", apperr.TooShort)
	case length > maxPasswordRunes:
		return invalidField("/password", apperr.TooLong)
	case isCommonPassword(password):
		err := apperr.New(apperr.WeakPassword, "The password is one of the most common ones.")
		err.Fields = []apperr.Field{{Pointer: "/password", Code: apperr.NotAllowed}}
		return err
	}
	return nil
}

func invalidField(pointer string, code apperr.FieldCode) error {
	err := apperr.New(apperr.ValidationFailed, "The body breaks a rule of the contract.")
	err.Fields = []apperr.Field{{Pointer: pointer, Code: code}}
	return err
}

func invalidToken(cause error) error {
	return apperr.Wrap(apperr.InvalidToken, "The access token is not valid or has ended.", cause)
}
