package sdktest_test

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/testing/desk"
)

const onBehalfOf = "X-On-Behalf-Of"

// callEverything calls every operation of an SDK with zero values and the options, and returns the errors by method.
func callEverything(t *testing.T, support *client.Support, options ...client.CallOption) map[string]error {
	t.Helper()
	failures := map[string]error{}
	for method := range reflect.TypeOf(support).Methods() {
		if method.Type.NumIn() < 2 || method.Type.In(method.Type.NumIn()-1) != reflect.TypeFor[[]client.CallOption]() {
			continue // ForCustomer
		}
		failures[method.Name] = callZero(t, support, method, options)
	}
	require.Greater(t, len(failures), 30)
	return failures
}

// callZero calls an operation with zero values and the options, and returns its error, or the first of its sequence.
func callZero(t *testing.T, support *client.Support, method reflect.Method, options []client.CallOption) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if method.Name == "FollowEvents" { // It retries without a limit.
		ctx = context.WithValue(ctx, endKey{}, cancel)
	}
	arguments := []reflect.Value{reflect.ValueOf(support), reflect.ValueOf(ctx)}
	for i := 2; i < method.Type.NumIn()-1; i++ {
		arguments = append(arguments, reflect.Zero(method.Type.In(i)))
	}
	results := method.Func.CallSlice(append(arguments, reflect.ValueOf(options)))
	if results[0].Kind() == reflect.Func {
		for _, failure := range results[0].Seq2() {
			results = []reflect.Value{failure}
		}
	}
	failure, _ := reflect.TypeAssert[error](results[len(results)-1])
	return failure
}

func TestForCustomerAppliesToEveryMethod(t *testing.T) {
	t.Parallel()
	var sent [][]string
	service := newSupport(t, func(r *http.Request) (*http.Response, error) {
		sent = append(sent, r.Header.Values(onBehalfOf))
		return nil, errors.New("the server is away")
	}, client.WithRetries(0), client.WithDefaultHeader(onBehalfOf, "eve"))
	for _, test := range []struct {
		name    string
		support *client.Support
		options []client.CallOption
		want    string
	}{
		{"customer", service.ForCustomer("ada"), nil, "ada"},
		{"the last ForCustomer counts", service.ForCustomer("bob").ForCustomer("ada"), nil, "ada"},
		{"call", service.ForCustomer("bob"), []client.CallOption{client.WithHeader(onBehalfOf, "ada")}, "ada"},
		{"none", service, nil, "eve"},
	} {
		sent = nil
		failures := callEverything(t, test.support, test.options...)
		require.Len(t, sent, len(failures), test.name)
		for _, customer := range sent {
			require.Equal(t, []string{test.want}, customer, test.name)
		}
	}
}

func TestForCustomerRefusesInvalidIDs(t *testing.T) {
	t.Parallel()
	service := newSupport(t, func(*http.Request) (*http.Response, error) {
		return nil, errors.New("a request was sent")
	})
	for _, id := range []string{"", " ", " ada", "ada\n", "a da", "adä"} {
		for method, err := range callEverything(t, service.ForCustomer(id)) {
			require.ErrorContains(t, err, "is not the id of a customer", method)
		}
	}
}

// TestCallOptionsTakePrecedence checks that each option of a call is sent, whatever the client's headers are.
func TestCallOptionsTakePrecedence(t *testing.T) {
	t.Parallel()
	options := map[string]client.CallOption{
		"Accept-Language": client.WithHeader("Accept-Language", "mine"),
		"Authorization":   client.WithHeader("Authorization", "mine"),
		"Idempotency-Key": client.WithIdempotencyKey("mine"),
		"If-Match":        client.WithIfMatch("mine"),
		"If-None-Match":   client.WithIfNoneMatch("mine"),
		"Last-Event-Id":   client.WithLastEventID("mine"),
		onBehalfOf:        client.WithHeader(onBehalfOf, "mine"),
	}
	for name, option := range options {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			support := newSupport(t, func(r *http.Request) (*http.Response, error) {
				require.Equal(t, []string{"mine"}, r.Header.Values(name))
				return nil, errors.New("the server is away")
			}, client.WithRetries(0), client.WithDefaultHeader(name, "the client's")).ForCustomer("ada")
			callEverything(t, support, option)
		})
	}
}

// TestParamsHaveNoHeaders ensures that there is only one way to set a header: an option.
func TestParamsHaveNoHeaders(t *testing.T) {
	t.Parallel()
	seen := 0
	for method := range reflect.TypeFor[*client.Support]().Methods() {
		for in := range method.Type.Ins() {
			if in.Kind() != reflect.Pointer || !strings.HasSuffix(in.Elem().Name(), "Params") {
				continue
			}
			seen++
			for field := range in.Elem().Fields() {
				require.NotEmpty(t, field.Tag.Get("form"), "%s.%s", in.Elem().Name(), field.Name)
			}
		}
	}
	require.NotZero(t, seen)
}

func TestForCustomerWithTheRealServer(t *testing.T) {
	t.Parallel()
	server := desk.New(t, desk.Options{})
	key := server.Staff(t, sqlc.UserRoleAdmin).NewAPIKey(t, client.CreateAPIKeyRequest{})
	service := connect(t, server, client.WithToken(key.Key))
	ada, bob := service.ForCustomer("ada"), service.ForCustomer("bob")
	ticket := openTicket(t, ada)
	answer, err := ada.AskAI(t.Context(), ticket.ID, "Are you there?")
	require.NoError(t, err)
	require.True(t, answer.IsAI)

	list := func(support *client.Support) []client.Ticket {
		page, err := support.ListTicketsPage(t.Context(), nil)
		require.NoError(t, err)
		return page.Items
	}
	require.Len(t, list(ada), 1)
	require.Equal(t, ticket.ID, list(ada)[0].ID)
	require.Empty(t, list(bob))
	_, err = bob.GetTicket(t.Context(), ticket.ID)
	require.True(t, client.IsProblem(err, client.ProblemCodeNotFound), "%v", err)
	_, err = ada.ListAPIKeysPage(t.Context(), nil)
	require.Error(t, err, "customers cannot manage keys")
}
