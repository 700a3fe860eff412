package api_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/contracttest"
)

// specOperation is one operation of the contract.
type specOperation struct {
	*openapi3.Operation
	method, template string
	// pathParameters are the names in the path, plus that of a ticket in the body.
	pathParameters []string
	// role is the least role that may call it, or empty for everybody. scopes are those that API keys need.
	role   sqlc.UserRole
	scopes []auth.Scope
	// how says how to call it.
	how usage
}

// actsForCustomers reports whether a service may call it for its customers.
func (o specOperation) actsForCustomers() bool {
	return slices.ContainsFunc(*o.Security, func(alternative openapi3.SecurityRequirement) bool {
		_, acts := alternative["onBehalfOf"]
		return acts
	})
}

func specOperations(t *testing.T) []specOperation {
	t.Helper()
	var all []specOperation
	for path, item := range contracttest.Spec(t).Paths.Map() {
		for method, op := range item.Operations() {
			o := specOperation{Operation: op, method: method, template: path, how: operations[op.OperationID]}
			for part := range strings.SplitSeq(path, "/") {
				if strings.HasPrefix(part, "{") {
					o.pathParameters = append(o.pathParameters, strings.Trim(part, "{}"))
				}
			}
			if o.how.ticketIn != "" {
				o.pathParameters = append(o.pathParameters, "ticket_id")
			}
			scope, _ := op.Extensions["x-scope"].(string)
			for name := range strings.FieldsSeq(scope) {
				o.scopes = append(o.scopes, auth.Scope(name))
			}
			require.NotNil(t, op.Security, "%s has no security decision", op.OperationID)
			for _, alternative := range *op.Security {
				for _, roles := range alternative {
					o.role = sqlc.UserRole(roles[0])
				}
			}
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b specOperation) int { return strings.Compare(a.OperationID, b.OperationID) })
	return all
}

// successes returns the operation's successful statuses.
func (o specOperation) successes(t *testing.T) []int {
	t.Helper()
	var statuses []int
	for text := range o.Responses.Map() {
		if status, err := strconv.Atoi(text); err == nil && status < 300 {
			statuses = append(statuses, status)
		}
	}
	require.NotEmpty(t, statuses, o.OperationID)
	return statuses
}

// streams reports whether the successful response is a stream, which has no HEAD.
func (o specOperation) streams(t *testing.T) bool {
	t.Helper()
	return contracttest.IsStream(o.Responses.Status(slices.Min(o.successes(t))))
}

// request returns the path with the ids, and the body.
func (o specOperation) request(t *testing.T, c *cast, ids []string) (path, body string) {
	t.Helper()
	path = o.template + o.how.query
	members := goodBody(t, c, o.Operation)
	for i, name := range o.pathParameters {
		path = strings.ReplaceAll(path, "{"+name+"}", ids[i])
		if o.how.ticketIn != "" {
			members[o.how.ticketIn] = ids[i]
		}
	}
	if members == nil {
		return path, ""
	}
	return path, encode(t, members)
}

// call sends a request with the ids in its path.
func (o specOperation) call(t *testing.T, c *cast, ids []string, header ...string) apitest.Response {
	t.Helper()
	path, body := o.request(t, c, ids)
	if body != "" {
		header = append(header, "Content-Type: application/json")
	}
	return c.Do(t, o.method, path, body, append(header, fixedRequestID)...)
}

func (o specOperation) ownedIDs(t *testing.T, c *cast) []string {
	t.Helper()
	if o.OperationID == "mergeTicket" {
		c.duplicate = ownedTicket(t, c)
	}
	ids := make([]string, len(o.pathParameters))
	for i, name := range o.pathParameters {
		owned := o.how.thing
		if owned == nil {
			owned = thing(t, name)
		}
		ids[i] = owned(t, c)
	}
	return ids
}

func (o specOperation) unknownIDs() []string {
	ids := make([]string, len(o.pathParameters))
	for i := range ids {
		ids[i] = uuid.Must(uuid.NewV7()).String()
	}
	return ids
}
