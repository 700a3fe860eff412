// Package account manages the accounts of people: sign-up and log-in (service.go), the limits on both (attempts.go),
// changes by administrators (user.go), export (export.go) and erasure (erasure.go).
package account

import (
	"context"
	"errors"
	"log/slog"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/password"
	"github.com/supportbackend/support/internal/session"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/uuid7"
)

// NoPassword replaces the hash of accounts that nobody can log in to.
const NoPassword = "!"

// Options configure a Service.
type Options struct {
	// Secret hashes the addresses whose attempts are counted. It has at least auth.MinSecretBytes.
	Secret []byte
	// Passwords hashes and verifies the accounts' passwords.
	Passwords *password.Hasher
	// Limits bound what strangers may try; the zero value means no limits.
	Limits Limits
}

// Service creates and changes accounts. Besides the errors that its methods name, each returns the errors of store.Store.
type Service struct {
	store     *store.Store
	auth      *auth.Service
	sessions  *session.Service
	passwords *password.Hasher
	attempts  *attempts
	limits    Limits
}

// NewService returns a Service. It tells authn about the accounts that it changes, so that the changes take effect on this
// server at once.
func NewService(s *store.Store, authn *auth.Service, sessions *session.Service, o Options) *Service {
	return &Service{
		store: s, auth: authn, sessions: sessions, passwords: o.Passwords, attempts: newAttempts(s, o.Secret), limits: o.Limits,
	}
}

// NewAccount describes a new account.
type NewAccount struct {
	Email    string
	Password string
	Role     auth.Role
	// DisplayName is shown with the account's messages; nil for none.
	DisplayName *string
}

// SignUp creates a customer account for a stranger.
//
// It returns RoleNotAllowed for any role but user, TooManyAttempts after too many sign-ups by the client, including those
// with taken addresses, and the errors of Create.
func (s *Service) SignUp(ctx context.Context, client session.Client, n NewAccount) (user sqlc.User, err error) {
	if n.Role != auth.RoleUser {
		return sqlc.User{}, apperr.New(apperr.RoleNotAllowed, `Only the role "user" may be requested here.`)
	}
	tally := s.attempts.of(s.limits.SignUps, signUpWindow, "sign-up", addressOf(client))
	if err := tally.check(ctx); err != nil {
		return sqlc.User{}, err
	}
	row, err := s.newRow(ctx, networkOf(client), n)
	if err != nil {
		return sqlc.User{}, err
	}
	if err := tally.count(ctx); err != nil {
		return sqlc.User{}, err
	}
	row.CreatorKind, row.CreatedBy = new(sqlc.ActorKindCustomer), &row.ID
	return s.create(ctx, row)
}

// Create creates an account with any role. The caller has decided that the actor may. A nil actor is the system.
//
// It returns ValidationFailed for an invalid e-mail address and for a password that is too short or too long,
// WeakPassword, EmailTaken, and ServerBusy. It hashes the password before it looks up the address, so that a taken
// address takes as long as a free one.
func (s *Service) Create(ctx context.Context, actor *auth.Actor, n NewAccount) (sqlc.User, error) {
	row, err := s.newRow(ctx, "", n)
	if err != nil {
		return sqlc.User{}, err
	}
	if actor != nil {
		row.CreatorKind, row.CreatedBy = new(actor.Kind()), &actor.ID
	}
	return s.create(ctx, row)
}

// newRow validates a new account and hashes its password. The network is the client's.
func (s *Service) newRow(ctx context.Context, network string, n NewAccount) (row sqlc.CreateUserParams, err error) {
	address, ok := NormalizeEmail(n.Email)
	if !ok {
		return row, apperr.Invalid(apperr.Field{Pointer: "/email", Code: apperr.InvalidFormat})
	}
	if isReserved(address) {
		return row, apperr.Invalid(apperr.Field{Pointer: "/email", Code: apperr.NotAllowed})
	}
	if err := checkNewPassword("/password", n.Password); err != nil {
		return row, err
	}
	hash, err := s.passwords.Hash(ctx, network, n.Password)
	if err != nil {
		return row, err
	}
	return sqlc.CreateUserParams{
		ID: uuid7.New(), Email: address, PasswordHash: hash, Role: n.Role, DisplayName: n.DisplayName,
	}, nil
}

func (s *Service) create(ctx context.Context, row sqlc.CreateUserParams) (sqlc.User, error) {
	user, err := s.store.CreateUser(ctx, row)
	if errors.Is(err, store.ErrNoRows) {
		return sqlc.User{}, apperr.New(apperr.EmailTaken, "There is an account with this e-mail address.")
	}
	return sqlc.User(user), err
}

// LogIn begins a session for an e-mail address and a password.
//
// It returns InvalidCredentials for an unknown address, a disabled account and a wrong password alike, after the same
// work. It returns TooManyAttempts when the client's network has failed too often, and ServerBusy.
func (s *Service) LogIn(ctx context.Context, client session.Client, email, password string) (session.Tokens, error) {
	c := credentials{client: client, email: email, password: password, event: "login failed"}
	for attempt := 1; ; attempt++ {
		user, outdated, err := s.checkCredentials(ctx, c)
		if err != nil {
			return session.Tokens{}, err
		}
		tokens, err := s.sessions.Open(ctx, user, client)
		switch {
		case errors.Is(err, store.ErrNoRows) && attempt < maxAttempts:
			continue // Another log-in has replaced the hash, or the password has changed.
		case errors.Is(err, store.ErrNoRows):
			return session.Tokens{}, invalidCredentials()
		case err == nil && outdated:
			// The password is right in any case; the next log-in tries again.
			_ = s.rehash(ctx, user, c)
		}
		return tokens, err
	}
}

// credentials are an e-mail address and a password, with the client that sends them.
type credentials struct {
	client          session.Client
	email, password string
	// event is the name of a failure in the log.
	event string
}

// checkCredentials returns the account of an e-mail address and a password, and whether its hash should be replaced.
// Wrong passwords at log-in and at a change of the password count together. It returns InvalidCredentials and
// TooManyAttempts.
func (s *Service) checkCredentials(ctx context.Context, c credentials) (user sqlc.User, outdated bool, err error) {
	address, ok := NormalizeEmail(c.email)
	if !ok {
		address = c.email
	}
	guesses := s.guesses(c.client, address)
	if err := guesses.check(ctx); err != nil {
		return sqlc.User{}, false, err
	}
	user, known, err := s.userByEmail(ctx, c.email)
	if err != nil {
		return sqlc.User{}, false, err
	}
	hash := s.passwords.Dummy()
	if known = known && user.PasswordHash != NoPassword; known {
		hash = user.PasswordHash
	}
	right, outdated, err := s.passwords.Verify(ctx, networkOf(c.client), c.password, hash)
	if err != nil {
		return sqlc.User{}, false, err
	}
	if !right || !known || user.DisabledAt != nil {
		s.auth.LogSecurity(ctx, slog.LevelInfo, c.event, user.ID)
		return sqlc.User{}, false, guesses.wrong(ctx)
	}
	return user, outdated, guesses.right(ctx)
}

// ChangePassword changes the password of the actor's account and ends all its other sessions.
//
// It returns InvalidCredentials when the current password is wrong, TooManyAttempts when it was wrong too often,
// ValidationFailed and WeakPassword for the new one, and ServerBusy.
func (s *Service) ChangePassword(ctx context.Context, client session.Client, actor auth.Actor, current, password string) error {
	if err := checkNewPassword("/new_password", password); err != nil {
		return err
	}
	c := credentials{client: client, email: actor.Email, password: current, event: "password change failed"}
	for attempt := 1; ; attempt++ {
		user, _, err := s.checkCredentials(ctx, c)
		if err != nil {
			return err
		}
		hash, err := s.passwords.Hash(ctx, networkOf(client), password)
		if err != nil {
			return err
		}
		err = s.replacePassword(ctx, actor, user.PasswordHash, hash)
		switch {
		case errors.Is(err, store.ErrNoRows) && attempt < maxAttempts:
			continue // A log-in has replaced the hash, or the password has changed.
		case errors.Is(err, store.ErrNoRows):
			return invalidCredentials()
		case err != nil:
			return err
		}
		s.auth.ForgetAccount(actor.ID)
		s.auth.LogSecurity(ctx, slog.LevelInfo, "password changed", actor.ID, slog.Any("session_id", actor.SessionID))
		return nil
	}
}

func (s *Service) replacePassword(ctx context.Context, actor auth.Actor, oldHash, newHash string) error {
	return s.store.InTx(ctx, func(ctx context.Context) error {
		changed, err := s.store.UpdateUserPasswordHash(ctx, sqlc.UpdateUserPasswordHashParams{
			ID: actor.ID, OldHash: oldHash, NewHash: newHash,
		})
		if err != nil {
			return err
		}
		if changed == 0 {
			return store.ErrNoRows
		}
		err = s.store.CreateJournalEntry(store.Ahead(ctx), sqlc.CreateJournalEntryParams{
			Type: "user.updated", ActorKind: actor.Kind(), ActorID: &actor.ID, SubjectID: &actor.ID,
			Data: []byte(`{"changed": ["password"]}`),
		})
		if err != nil {
			return err
		}
		_, err = s.store.DeleteSessionsByUser(ctx, sqlc.DeleteSessionsByUserParams{UserID: actor.ID, ExceptID: actor.SessionID})
		return err
	})
}

func (s *Service) userByEmail(ctx context.Context, email string) (user sqlc.User, known bool, err error) {
	address, ok := NormalizeEmail(email)
	if !ok {
		// No account has the empty address, but the query takes as long.
		address = ""
	}
	user, err = s.store.GetUserByEmail(ctx, address)
	if errors.Is(err, store.ErrNoRows) {
		return sqlc.User{}, false, nil
	}
	return user, err == nil, err
}

func (s *Service) rehash(ctx context.Context, user sqlc.User, c credentials) error {
	hash, err := s.passwords.Hash(ctx, networkOf(c.client), c.password)
	if err != nil {
		return err
	}
	_, err = s.store.UpdateUserPasswordHash(ctx, sqlc.UpdateUserPasswordHashParams{
		ID: user.ID, OldHash: user.PasswordHash, NewHash: hash,
	})
	return err
}

const (
	minPasswordRunes = 8
	maxPasswordRunes = 128

	// maxAttempts is how often a password is verified while other requests replace its hash.
	maxAttempts = 3
)

// checkNewPassword checks a new password against the rules. The pointer is its place in the request. It counts
// characters before normalization, as the contract does.
func checkNewPassword(pointer, plain string) error {
	switch length := len([]rune(plain)); {
	case length < minPasswordRunes:
		return apperr.Invalid(apperr.Field{Pointer: pointer, Code: apperr.TooShort})
	case length > maxPasswordRunes:
		return apperr.Invalid(apperr.Field{Pointer: pointer, Code: apperr.TooLong})
	case password.IsWeak(plain):
		return apperr.New(apperr.WeakPassword, "The password is easy to guess.").
			At(apperr.Field{Pointer: pointer, Code: apperr.NotAllowed})
	}
	return nil
}

func invalidCredentials() error {
	return apperr.New(apperr.InvalidCredentials, "The e-mail address or the password is wrong.")
}
