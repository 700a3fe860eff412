package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
)

// maxCustomers is the number of accounts. With fewer, each customer would exceed the limits of an account.
const maxCustomers = 64

// customer has an account and an address of its own.
type customer struct {
	id            uuid.UUID
	api           *plain.ClientWithResponses
	authorization string
	dialer        *net.Dialer
}

// signUp creates the n-th customer of a server.
func signUp(ctx context.Context, server string, n int) (*customer, error) {
	address := net.IPv4(127, 0, 1, byte(n+1)) //nolint:gosec // There are no more than maxCustomers.
	c := &customer{dialer: &net.Dialer{LocalAddr: &net.TCPAddr{IP: address}}}
	transport := &http.Client{Transport: &http.Transport{DialContext: c.dialer.DialContext}}
	var err error
	c.api, err = plain.NewClientWithResponses(server, plain.WithHTTPClient(transport),
		plain.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			if c.authorization != "" {
				r.Header.Set("Authorization", c.authorization)
			}
			return nil
		}))
	if err != nil {
		return nil, err
	}
	email, password := rand.Text()+"@example.com", rand.Text()
	created, err := c.api.SignUpWithResponse(ctx, nil, client.SignUpRequest{Email: email, Password: password})
	if err != nil {
		return nil, err
	}
	if created.JSON201 == nil {
		return nil, fmt.Errorf("sign up: %s", created.Body)
	}
	c.id = created.JSON201.ID
	token, err := c.api.LogInWithResponse(ctx, nil, client.LogInRequest{Email: email, Password: password})
	if err != nil {
		return nil, err
	}
	if token.JSON200 == nil {
		return nil, fmt.Errorf("log in: %s", token.Body)
	}
	c.authorization = "Bearer " + token.JSON200.AccessToken
	return c, nil
}
