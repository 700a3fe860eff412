package api_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
)

// movingClock is a clock that only the test moves.
type movingClock struct{ nanos atomic.Int64 }

func newMovingClock() *movingClock {
	c := &movingClock{}
	c.nanos.Store(time.Now().UnixNano())
	return c
}

func (c *movingClock) Now() time.Time { return time.Unix(0, c.nanos.Load()) }

func (c *movingClock) Advance(d time.Duration) { c.nanos.Add(int64(d)) }

// replicas returns two servers that share a database and a clock.
func replicas(t *testing.T) (a, b *desk.Desk, clock *movingClock) {
	t.Helper()
	clock = newMovingClock()
	a = desk.New(t, desk.Options{Now: clock.Now, NoAI: true})
	b = desk.New(t, desk.Options{DatabaseURL: a.DatabaseURL, Now: clock.Now, NoAI: true})
	return a, b, clock
}

// endings are the ways to invalidate a session's tokens on a server.
var endings = map[string]func(*testing.T, *desk.Desk, *apitest.User){
	"logged out": func(t *testing.T, s *desk.Desk, u *apitest.User) {
		t.Helper()
		r, err := u.With(t, s.Client, u.Token).LogOutWithResponse(t.Context(), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusNoContent, r.StatusCode())
	},
	"session ended": func(t *testing.T, s *desk.Desk, u *apitest.User) {
		t.Helper()
		id := u.Sessions(t)[0].ID
		r, err := s.LogIn(t, u.Email, apitest.Password).EndSessionWithResponse(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, http.StatusNoContent, r.StatusCode())
	},
	"password changed": func(t *testing.T, s *desk.Desk, u *apitest.User) {
		t.Helper()
		r, err := s.LogIn(t, u.Email, apitest.Password).ChangePasswordWithResponse(t.Context(), nil, client.ChangePasswordRequest{
			CurrentPassword: apitest.Password, NewPassword: "staple of another kind",
		})
		require.NoError(t, err)
		require.Equal(t, http.StatusNoContent, r.StatusCode(), "%s", r.Body)
	},
	"token reused": func(t *testing.T, s *desk.Desk, u *apitest.User) {
		t.Helper()
		mustRefresh(t, s, mustRefresh(t, s, u.Refresh).RefreshToken)
		requireReuse(t, s, u.Refresh)
	},
}

func TestEndedSessionIsRefusedOnEveryReplicaWithinASecond(t *testing.T) {
	t.Parallel()
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			here, there, clock := replicas(t)
			user := here.Customer(t)
			for _, s := range []*desk.Desk{here, there} {
				require.Equal(t, http.StatusOK, statusWith(t, s, user.Token), "both know the session")
			}
			end(t, here, user)
			require.Equal(t, http.StatusUnauthorized, statusWith(t, here, user.Token), "immediately on the replica that ended it")
			clock.Advance(time.Second)
			require.Equal(t, http.StatusUnauthorized, statusWith(t, there, user.Token))
		})
	}
}

func TestStreamOfAnEndedSessionIsClosed(t *testing.T) {
	t.Parallel()
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := newMovingClock()
			// Each reading of the clock is a second later, so that caches expire.
			now := func() time.Time {
				clock.Advance(time.Second)
				return clock.Now()
			}
			s := desk.New(t, desk.Options{Now: now, Recheck: 10 * time.Millisecond})
			require.NoError(t, s.Simulator.Enqueue(groqsim.Script{Gates: []groqsim.Gate{{Name: "never", After: 3}}}))
			user := s.Customer(t)
			bystander := s.Customer(t)
			stream := user.Stream(t, user.NewTicket(t).ID)
			event, more := stream.Next()
			require.True(t, more)
			require.Equal(t, "start", event.Name)
			end(t, s, user)
			for more {
				event, more = stream.Next() // Next fails unless the stream ends between two events.
				require.NotContains(t, []string{"done", "failed"}, event.Name, "the answer itself continues")
			}
			require.Equal(t, http.StatusOK, statusWith(t, s, bystander.Token))
		})
	}
}

func TestStreamOutlivesItsAccessToken(t *testing.T) {
	t.Parallel()
	clock := newMovingClock()
	s := desk.New(t, desk.Options{Now: clock.Now, Recheck: time.Millisecond})
	require.NoError(t, s.Simulator.Enqueue(groqsim.Script{Gates: []groqsim.Gate{{Name: "late", After: 3}}}))
	user := s.Customer(t)
	stream := user.Stream(t, user.NewTicket(t).ID)
	clock.Advance(time.Hour)
	require.Equal(t, http.StatusUnauthorized, statusWith(t, s, user.Token), "the token has expired")
	s.Simulator.Release("late")
	require.NotNil(t, stream.ReadAll().Done)
}

func TestDatabaseOutageEndsNoSession(t *testing.T) {
	t.Parallel()
	clock := newMovingClock()
	s := desk.New(t, desk.Options{Now: clock.Now})
	user := s.Customer(t)
	actor, err := s.Auth.Authenticate(t.Context(), user.Token)
	require.NoError(t, err)
	clock.Advance(time.Second)
	s.Store.Close()
	err = s.Auth.Recheck(t.Context(), actor)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "invalid_token")
}

func TestTokensStayValidDuringARotationOfTheSecret(t *testing.T) {
	t.Parallel()
	const old, next = "the old secret of 32 bytes or even more", "the next secret of 32 bytes or even more"
	const replicas = 3
	first := desk.New(t, desk.Options{Secrets: []string{old}, NoAI: true})
	user := first.Customer(t)
	fleet := []*desk.Desk{first}
	start := func(secrets []string) *desk.Desk {
		return desk.New(t, desk.Options{DatabaseURL: first.DatabaseURL, Secrets: secrets, NoAI: true})
	}
	for len(fleet) < replicas {
		fleet = append(fleet, start([]string{old}))
	}
	for range 3 {
		user.NewTicket(t)
	}
	// Each release is rolled out one replica after the other. After each step, every replica accepts the tokens and
	// cursors of all replicas.
	for _, secrets := range [][]string{{old, next}, {next, old}} {
		for i := range fleet {
			fleet[i] = start(secrets)
			for _, from := range fleet {
				token := from.LogIn(t, user.Email, apitest.Password).Token
				list := from.Do(t, http.MethodGet, "/tickets?limit=1", "", "Authorization: Bearer "+token)
				for _, to := range fleet {
					require.Equal(t, http.StatusOK, statusWith(t, to, token))
					if from != to {
						followed := to.Do(t, http.MethodGet, nextPage(t, list), "", "Authorization: Bearer "+token)
						require.Equal(t, http.StatusOK, followed.Status, "%s", followed.Body)
					}
				}
			}
		}
	}
	require.Equal(t, http.StatusOK, statusWith(t, fleet[0], user.Token), "the old token is still valid")
	fresh := fleet[0].LogIn(t, user.Email, apitest.Password).Token
	fleet[0] = start([]string{next})
	require.Equal(t, http.StatusUnauthorized, statusWith(t, fleet[0], user.Token), "the token's key was removed")
	require.Equal(t, http.StatusOK, statusWith(t, fleet[0], fresh))
}
