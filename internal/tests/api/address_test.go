package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
)

func TestInvalidAddressesAreRefused(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	d.keepStored(t)
	c := d.call(t, "signUp")
	for _, address := range []string{
		"canary-5f1d.example.com", "@example.com", "aa@", "a@b", "a@b..c", "a@@b.com", "a@b@c.com", `"x y"@z.com`,
		"a@b\r\nBcc:x.com", "a @b.com", "a@ b.com", "X <a@b.com>", "a@[127.0.0.1]", "a@b.com(comment)",
		"ａdmin@exаmple.com", "pаypal@example.com", ".a@b.com", "a.@b.com", "a..b@c.com", "a@-b.com", "a@b-.com",
		"a@b.c", "a\u202e@b.com", "a@b.com,c@d.com", strings.Repeat("a", 65) + "@example.com", "a@münchen.de",
	} {
		r := d.do(t, c, bodyWith(t, c, "email", encode(t, address)), jsonType)
		requireRefused(t, r, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed, "/email invalid_format")
	}
}

func TestAddressesAreNormalized(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	created, err := s.Anonymous.SignUpWithResponse(t.Context(), nil, client.SignUpRequest{
		Email: "ＡDA.Lovelace@Example.COM", Password: apitest.Password,
	})
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, created.StatusCode(), "%s", created.Body)
	require.Equal(t, "ada.lovelace@example.com", created.JSON201.Email)
	again, err := s.Anonymous.SignUpWithResponse(t.Context(), nil, client.SignUpRequest{
		Email: "ada.lovelace@example.com", Password: apitest.Password,
	})
	require.NoError(t, err)
	apitest.RequireProblem(t, again.StatusCode(), again.Body, http.StatusConflict, client.ProblemCodeEmailTaken)
}
