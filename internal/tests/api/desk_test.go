package api_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// canary stands in values that are refused. No response may repeat it.
const canary = "canary-5f1d"

const (
	jsonType = "Content-Type: application/json"
	formType = "Content-Type: application/x-www-form-urlencoded"
)

// desk is a server with one customer and one ticket.
type desk struct {
	*apitest.Server
	customer *apitest.User
	ticket   client.Ticket
	// answer is the AI's, to another ticket of the customer's.
	answer answer
	// leaving is the customer in a second session, which it may end, and spare is a third one that others may.
	leaving *apitest.User
	spare   uuid.UUID
	admin   *apitest.User
	// key is a service's, and service another one with a customer.
	key     client.CreatedAPIKey
	service *apitest.User
	served  uuid.UUID
	team    uuid.UUID
	// hook is a webhook, and delivery one of its deliveries.
	hook, delivery uuid.UUID
	// prompt is a draft.
	prompt uuid.UUID
	macro  uuid.UUID
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	return newDeskOn(t, apitest.Options{})
}

func newDeskOn(t *testing.T, o apitest.Options) *desk {
	t.Helper()
	s := apitest.New(t, o)
	customer, admin := s.Customer(t), s.Staff(t, sqlc.UserRoleAdmin)
	service := admin.NewAPIKey(t, client.CreateAPIKeyRequest{})
	hook, delivery := storeDelivery(t, s)
	return &desk{
		hook: hook, delivery: delivery,
		Server: s, customer: customer, ticket: customer.NewTicket(t), answer: storeAnswer(t, s, customer.ID),
		leaving: s.LogIn(t, customer.Email, apitest.Password), spare: customer.NewSession(t),
		admin: admin, key: admin.NewAPIKey(t, client.CreateAPIKeyRequest{}),
		service: s.Service(t, service.Key, ""), served: s.Service(t, service.Key, customerName).Me(t).ID,
		team:   storeTeam(t, s),
		prompt: newPrompt(t, admin, client.PromptSettings{Company: "A company"}).ID,
		macro:  newMacro(t, admin, client.MacroSettings{Name: "A macro", Content: "A reply"}).ID,
	}
}

// storeTeam stores a team without members.
func storeTeam(t *testing.T, s *apitest.Server) uuid.UUID {
	t.Helper()
	id := uuid.Must(uuid.NewV7())
	storetest.Exec(t, s.DatabaseURL, "INSERT INTO teams (id, name) VALUES ($1, 'A team')", id)
	return id
}

// storeDelivery stores a webhook with a delivery that nobody sends.
func storeDelivery(t *testing.T, s *apitest.Server) (hook, delivery uuid.UUID) {
	t.Helper()
	hook, delivery = uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	storetest.Exec(t, s.DatabaseURL, `INSERT INTO webhooks (id, url, types, payload, secret)
		VALUES ($1, 'https://shop.example/hooks', '{}', 'thin', 'sealed')`, hook)
	storetest.Exec(t, s.DatabaseURL, "INSERT INTO webhook_deliveries (id, webhook_id, type) VALUES ($1, $2, 'webhook.test')", delivery, hook)
	return hook, delivery
}

// answer is an answer of the AI that was stored.
type answer struct{ ticketID, responseID, messageID uuid.UUID }

// storeAnswer stores an answer without asking the AI for it.
func storeAnswer(t *testing.T, s *apitest.Server, userID uuid.UUID) answer {
	t.Helper()
	id := func() uuid.UUID { return uuid.Must(uuid.NewV7()) }
	a := answer{id(), id(), id()}
	storetest.Exec(t, s.DatabaseURL, "INSERT INTO tickets (id, user_id, title, description) VALUES ($1, $2, 'Answered', 'x')",
		a.ticketID, userID)
	storetest.Exec(t, s.DatabaseURL, `INSERT INTO messages (id, ticket_id, author, content, created_at)
		VALUES ($1, $2, 'ai', 'An answer.', now())`, a.messageID, a.ticketID)
	storetest.Exec(t, s.DatabaseURL, `INSERT INTO ai_responses
		(id, ticket_id, customer_id, status, model, last_seq, message_id, finish_reason, owner_id, lease_expires_at, finished_at)
		VALUES ($1, $2, $4, 'completed', 'm', 2, $3, 'stop', $1, now(), now())`, a.responseID, a.ticketID, a.messageID, userID)
	return a
}

// count counts the tickets, or the messages, without the answer and its ticket.
func (d *desk) count(t *testing.T, table string) int {
	t.Helper()
	return countRows(t, d.Server, table) - 1
}

// call is one operation of the contract, ready to be called.
type call struct {
	id     string
	method string
	path   string
	// thing is the id in the path, if there is one.
	thing  string
	public bool
	// admin is whether it is not for customers.
	admin bool
	// media are the types of body that it takes, sorted.
	media []string
	// body is one that it takes, as JSON. Sent twice, it may be answered with 409.
	body string
	op   *openapi3.Operation
}

// calls walks the contract: every operation is there, on the desk's own ticket.
func (d *desk) calls(t *testing.T) []call {
	t.Helper()
	var all []call
	for path, item := range apitest.Spec(t).Paths.Map() {
		for method, op := range item.Operations() {
			c := call{id: op.OperationID, method: method, public: len(*op.Security) == 0, op: op}
			c.admin = !c.public && !slices.Equal((*op.Security)[0]["bearerAuth"], []string{"user"})
			c.path, c.thing = d.fill(t, path)
			if op.RequestBody != nil {
				c.media = slices.Sorted(maps.Keys(op.RequestBody.Value.Content))
				c.body = d.goodBody(t, op)
			}
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b call) int { return strings.Compare(a.id, b.id) })
	return all
}

// isStream reports whether the operation answers with a stream.
func (c call) isStream() bool {
	return apitest.IsStream(c.op.Responses.Status(http.StatusOK))
}

// fill puts the id of the desk's own thing into a path.
func (d *desk) fill(t *testing.T, path string) (filled, thing string) {
	t.Helper()
	if strings.HasSuffix(path, "{user_id}/customer") {
		return strings.ReplaceAll(path, "{user_id}", d.served.String()), d.served.String()
	}
	for name, id := range d.ids() {
		if name = "{" + name + "}"; strings.Contains(path, name) {
			path, thing = strings.ReplaceAll(path, name, id.String()), id.String()
		}
	}
	require.NotContains(t, path, "{")
	return path, thing
}

// writes are the operations that take a body of the contract's own form, with just the members that it names.
func (d *desk) writes(t *testing.T) []call {
	t.Helper()
	return slices.DeleteFunc(d.calls(t), func(c call) bool { return c.media == nil || operations[c.id].ticketIn != "" })
}

func (d *desk) call(t *testing.T, id string) call {
	t.Helper()
	all := d.calls(t)
	i := slices.IndexFunc(all, func(c call) bool { return c.id == id })
	require.GreaterOrEqual(t, i, 0, id)
	return all[i]
}

// goodBody is one that may be sent again and again. A refresh token of nobody keeps the desk's sessions as they are.
func (d *desk) goodBody(t *testing.T, o *openapi3.Operation) string {
	t.Helper()
	body := goodBody(t, world{
		Server: d.Server, email: d.customer.Email, duplicate: d.answer.ticketID.String(), refresh: "srt_" + strings.Repeat("A", 86),
	}, o)
	if member := operations[o.OperationID].ticketIn; member != "" {
		body[member] = d.ticket.ID
	}
	return encode(t, body)
}

// clientText is a text that a chat client sends.
func clientText(id, text string) map[string]any {
	return map[string]any{"id": id, "role": "user", "parts": []any{map[string]any{"type": "text", "text": text}}}
}

func encode(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}

// caller is who may call an operation: the customer, or an administrator.
func (d *desk) caller(c call) *apitest.User {
	switch {
	case c.id == "logOut":
		return d.leaving
	case operations[c.id].only == onlyService:
		return d.service
	case c.admin:
		return d.admin
	default:
		return d.customer
	}
}

// do calls an operation with just these headers, and the token of who may call it where one is needed.
func (d *desk) do(t *testing.T, c call, body string, header ...string) apitest.Response {
	t.Helper()
	if !strings.Contains(c.path, "?") {
		c.path += operations[c.id].query
	}
	if c.public {
		return d.Do(t, c.method, c.path, body, header...)
	}
	return d.caller(c).Do(t, c.method, c.path, body, header...)
}

// stored is a digest of everything that a request could change.
func (d *desk) stored(t *testing.T) string {
	t.Helper()
	return storetest.QueryText(t, d.DatabaseURL, `SELECT concat_ws(' ',
		(SELECT count(*) FROM users), (SELECT count(*) FROM tickets), (SELECT count(*) FROM messages),
		(SELECT count(*) FROM sessions), (SELECT count(*) FROM ticket_status_changes), (SELECT count(*) FROM ai_responses),
		(SELECT max(updated_at) FROM tickets))`)
}

// keepStored wants the database to be the same at the end of the test.
func (d *desk) keepStored(t *testing.T) {
	t.Helper()
	before := d.stored(t)
	t.Cleanup(func() { require.Equal(t, before, d.stored(t), "something was stored") })
}

// requireRefused wants a problem that names exactly these fields, each as "pointer code", and repeats nothing.
func requireRefused(
	t *testing.T, r apitest.Response, status int, code client.ProblemCode, fields ...string,
) plain.Problem {
	t.Helper()
	problem := r.RequireProblem(t, status, code)
	var got []string
	for _, field := range problem.Errors {
		got = append(got, field.Pointer+" "+string(field.Code))
	}
	require.ElementsMatch(t, fields, got)
	require.NotContains(t, string(r.Body), canary)
	require.NotContains(t, encode(t, r.Header), canary)
	return problem
}

// requireTaken wants that nothing was wrong with the request's form: a second time it may be a conflict, and a refresh token
// need not be one.
func requireTaken(t *testing.T, c call, r apitest.Response) {
	t.Helper()
	taken := []int{http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent, http.StatusConflict}
	if c.id == "refreshSession" {
		taken = append(taken, http.StatusUnauthorized)
	}
	require.Contains(t, taken, r.Status, "%s", r.Body)
}
