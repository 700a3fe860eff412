//go:build chaos && linux

package chaos

import (
	"cmp"
	"context"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/internal/dev/groqsim"
)

// makeAccounts creates a customer and an agent, and logs them in.
func (c *cluster) makeAccounts() {
	c.t.Helper()
	const customer, agent = "ada@example.com", "grace@example.com"
	api := c.api(c.replicas[0], "")
	created, err := api.SignUpWithResponse(c.ctx, nil, client.SignUpRequest{Email: customer, Password: password})
	require.NoError(c.t, err)
	require.Equal(c.t, http.StatusCreated, created.StatusCode(), "%s", created.Body)
	command(c.ctx, c.t, c.environ, password+"\n", "admin", "create", "--role", "agent", "--email", agent, "--password-stdin")
	c.customer, c.agent = c.logIn(api, customer), c.logIn(api, agent)
}

func (c *cluster) logIn(api *plain.ClientWithResponses, email string) string {
	c.t.Helper()
	token, err := api.LogInWithResponse(c.ctx, nil, client.LogInRequest{Email: email, Password: password})
	require.NoError(c.t, err)
	require.Equal(c.t, http.StatusOK, token.StatusCode(), "%s", token.Body)
	return token.JSON200.AccessToken
}

func (c *cluster) api(r *replica, token string) *plain.ClientWithResponses {
	api, err := plain.NewClientWithResponses(r.address(), plain.WithHTTPClient(c.http),
		plain.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			if token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			return nil
		}))
	if err != nil {
		panic(err) // Only an invalid URL causes an error.
	}
	return api
}

// answer is an AI answer in a ticket of its own.
type answer struct {
	ticket uuid.UUID
	// texts are the upstream's texts, one per attempt. The last one also serves all later attempts.
	texts []string
}

// plan is how the upstream answers.
type plan struct {
	tokens int
	// laterTokens is the number of tokens of later attempts; 0 means as many as in the first.
	laterTokens int
	speed       float64 // tokens per second; negative means as fast as possible
	// gates hold the first attempt, and laterGates hold all later ones.
	gates, laterGates []groqsim.Gate
}

// newAnswer opens a ticket at a replica. The upstream's text differs between the first attempt and later ones, so that
// a mixture of two attempts is noticed. It returns false when the ticket could not be opened.
func (c *cluster) newAnswer(at *replica, random *rand.Rand, p plan) (answer, bool) {
	marker := "ticket <" + itoa(int(c.tickets.Add(1))) + ">"
	script := groqsim.Script{Match: marker, TokensPerSecond: p.speed, Deltas: tokens(random, p.tokens), Gates: p.gates}
	later := groqsim.Script{
		Match: marker, TokensPerSecond: p.speed, Deltas: tokens(random, cmp.Or(p.laterTokens, p.tokens)),
		Gates: p.laterGates, Times: -1,
	}
	if err := c.simulator.Enqueue(script, later); err != nil {
		c.violate("%v", err)
		return answer{}, false
	}
	created, err := c.api(at, c.customer).CreateTicketWithResponse(c.ctx, nil, client.CreateTicketRequest{
		Title: "Chaos", Description: "This is " + marker + ".",
	})
	if err != nil || created.StatusCode() != http.StatusCreated {
		if c.ctx.Err() == nil {
			c.violate("no ticket: %v %v", err, created)
		}
		return answer{}, false
	}
	return answer{
		ticket: created.JSON201.ID,
		texts:  []string{strings.Join(script.Deltas, ""), strings.Join(later.Deltas, "")},
	}, true
}

// mustAnswer is newAnswer for the test's own goroutine.
func (c *cluster) mustAnswer(at *replica, p plan) answer {
	c.t.Helper()
	a, ok := c.newAnswer(at, c.random, p)
	require.True(c.t, ok)
	return a
}

// tokens returns a random text with characters of one to four bytes.
func tokens(random *rand.Rand, n int) []string {
	words := []string{" the", " a", " crème", " brûlée", " 你好", " 👋", "\n", " \"quoted\"", " <b>", " and", ".", " ticket", " ряд"}
	list := make([]string, n)
	for i := range list {
		list[i] = words[random.IntN(len(words))]
	}
	list[0] = "Hello"
	list[n-1] = "!"
	return list
}

// reply makes the agent answer a ticket, and returns how long that took.
func (c *cluster) reply(at *replica, ticket uuid.UUID) time.Duration {
	begin := time.Now()
	created, err := c.api(at, c.agent).CreateMessageWithResponse(c.ctx, ticket, nil, client.CreateMessageRequest{
		Content: "I have taken care of it.",
	})
	if err != nil || created.StatusCode() != http.StatusCreated {
		c.violate("the agent's reply was not taken: %v %v", err, created)
	}
	return time.Since(begin)
}
