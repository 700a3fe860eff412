package rig

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

// MaxCustomers is the number of accounts. With fewer, each customer would exceed the limits of an account.
const MaxCustomers = 64

// Customer has an account and an address of its own.
type Customer struct {
	ID            uuid.UUID
	API           *plain.ClientWithResponses
	Authorization string      // the header
	Dialer        *net.Dialer // from the customer's address
}

// SignUp creates the n-th customer of a server, below MaxCustomers.
func SignUp(ctx context.Context, server string, n int) (*Customer, error) {
	address := net.IPv4(127, 0, 1, byte(n+1)) //nolint:gosec // There are no more than MaxCustomers.
	c := &Customer{Dialer: &net.Dialer{LocalAddr: &net.TCPAddr{IP: address}}}
	transport := &http.Client{Transport: &http.Transport{DialContext: c.Dialer.DialContext}}
	var err error
	c.API, err = plain.NewClientWithResponses(server, plain.WithHTTPClient(transport),
		plain.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			if c.Authorization != "" {
				r.Header.Set("Authorization", c.Authorization)
			}
			return nil
		}))
	if err != nil {
		return nil, err
	}
	email, password := rand.Text()+"@example.com", rand.Text()
	created, err := c.API.SignUpWithResponse(ctx, nil, client.SignUpRequest{Email: email, Password: password})
	if err != nil {
		return nil, err
	}
	if created.JSON201 == nil {
		return nil, fmt.Errorf("sign up: %s", created.Body)
	}
	c.ID = created.JSON201.ID
	token, err := c.API.LogInWithResponse(ctx, nil, client.LogInRequest{Email: email, Password: password})
	if err != nil {
		return nil, err
	}
	if token.JSON200 == nil {
		return nil, fmt.Errorf("log in: %s", token.Body)
	}
	c.Authorization = "Bearer " + token.JSON200.AccessToken
	return c, nil
}
