package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
)

func TestLogOutEndsOnlyTheCallersSession(t *testing.T) {
	t.Parallel()
	var log logBuffer
	s := desk.New(t, desk.Options{Log: &log})
	user := s.Customer(t)
	other := s.LogIn(t, user.Email, apitest.Password)
	out, err := user.LogOutWithResponse(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, out.StatusCode(), "%s", out.Body)
	require.Empty(t, out.Body)
	require.Equal(t, http.StatusUnauthorized, statusWith(t, s, user.Token))
	requireNoRefresh(t, s, user.Refresh)
	require.Equal(t, http.StatusOK, statusWith(t, s, other.Token))
	mustRefresh(t, s, other.Refresh)
	require.Len(t, log.events("session revoked"), 1)
}

func TestOnlyItsOwnerEndsASession(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user, stranger, admin := s.Customer(t), s.Customer(t), s.Staff(t, sqlc.UserRoleAdmin)
	lost := s.LogIn(t, user.Email, apitest.Password)
	id := lost.Sessions(t)[0].ID
	for _, thief := range []*apitest.User{stranger, admin} {
		r, err := thief.EndSessionWithResponse(t.Context(), id)
		require.NoError(t, err)
		apitest.RequireProblem(t, r.StatusCode(), r.Body, http.StatusNotFound, client.ProblemCodeNotFound)
	}
	require.Equal(t, http.StatusOK, statusWith(t, s, lost.Token))
	r, err := user.EndSessionWithResponse(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, r.StatusCode(), "%s", r.Body)
	require.Equal(t, http.StatusUnauthorized, statusWith(t, s, lost.Token))
	requireNoRefresh(t, s, lost.Refresh)
	r, err = user.EndSessionWithResponse(t.Context(), id)
	require.NoError(t, err)
	apitest.RequireProblem(t, r.StatusCode(), r.Body, http.StatusNotFound, client.ProblemCodeNotFound)
	require.Equal(t, http.StatusOK, statusWith(t, s, user.Token))
}

func TestChangedPasswordEndsTheOtherSessions(t *testing.T) {
	t.Parallel()
	var log logBuffer
	s := desk.New(t, desk.Options{Log: &log})
	const changed = "staple of another kind"
	user := s.Customer(t)
	other, stranger := s.LogIn(t, user.Email, apitest.Password), s.Customer(t)
	r, err := user.ChangePasswordWithResponse(t.Context(), nil, client.ChangePasswordRequest{
		CurrentPassword: apitest.Password, NewPassword: changed,
	})
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, r.StatusCode(), "%s", r.Body)
	require.Equal(t, http.StatusUnauthorized, statusWith(t, s, other.Token))
	requireNoRefresh(t, s, other.Refresh)
	require.Equal(t, http.StatusOK, statusWith(t, s, user.Token), "the caller's own session continues")
	mustRefresh(t, s, user.Refresh)
	require.Equal(t, http.StatusOK, statusWith(t, s, stranger.Token))

	old := post(t, s, "/auth/login", map[string]string{"email": user.Email, "password": apitest.Password})
	old.RequireProblem(t, http.StatusUnauthorized, client.ProblemCodeInvalidCredentials)
	s.LogIn(t, user.Email, changed)
	require.Len(t, log.events("password changed"), 1)
	require.NotContains(t, log.String(), changed)
	require.NotContains(t, log.String(), user.Email)
}

func TestChangingThePasswordNeedsTheCurrentOne(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	other := s.LogIn(t, user.Email, apitest.Password)
	r, err := user.ChangePasswordWithResponse(t.Context(), nil, client.ChangePasswordRequest{
		CurrentPassword: apitest.Password + "x", NewPassword: "staple of another kind",
	})
	require.NoError(t, err)
	apitest.RequireProblem(t, r.StatusCode(), r.Body, http.StatusUnauthorized, client.ProblemCodeInvalidCredentials)
	r, err = user.ChangePasswordWithResponse(t.Context(), nil, client.ChangePasswordRequest{
		CurrentPassword: apitest.Password, NewPassword: "Password123",
	})
	require.NoError(t, err)
	problem := apitest.RequireProblem(t, r.StatusCode(), r.Body, http.StatusUnprocessableEntity, client.ProblemCodeWeakPassword)
	require.Equal(t, "/new_password", problem.Errors[0].Pointer)
	require.Equal(t, http.StatusOK, statusWith(t, s, other.Token))
	s.LogIn(t, user.Email, apitest.Password)
}
