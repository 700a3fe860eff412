package api_test

import (
	"bytes"
	"crypto/sha256"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// newStreamToken creates a token for the ticket's stream.
func newStreamToken(t *testing.T, u *apitest.User, ticketID uuid.UUID) client.StreamToken {
	t.Helper()
	made, err := u.CreateStreamTokenWithResponse(t.Context(), ticketID, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, made.StatusCode(), "%s", made.Body)
	require.Equal(t, streamPath(ticketID)+"?stream_token="+made.JSON201.Token, made.JSON201.URL)
	return *made.JSON201
}

func streamPath(ticketID uuid.UUID) string { return "/tickets/" + ticketID.String() + "/ai-response" }

// requireInvalidToken checks that the token is refused, with the same text for every fault.
func requireInvalidToken(t *testing.T, r apitest.Response) {
	t.Helper()
	r.RequireProblem(t, http.StatusUnauthorized, client.ProblemCodeInvalidToken)
	require.Equal(t, []string{`Bearer realm="support", error="invalid_token"`}, r.Header.Values("WWW-Authenticate"))
}

func TestStreamTokenOpensTheStreamOfItsTicket(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	ticket := user.NewTicket(t)
	token := newStreamToken(t, user, ticket.ID)
	require.WithinDuration(t, time.Now().Add(3*time.Minute), token.ExpiresAt, time.Minute)

	stream := s.Do(t, http.MethodGet, token.URL, "", "Accept: text/event-stream")
	require.Equal(t, http.StatusOK, stream.Status, "%s", stream.Body)
	whole := user.Stream(t, ticket.ID).ReadAll()
	require.Contains(t, string(stream.Body), "event: done\n", "a token starts an answer as its owner does")
	require.Len(t, s.Simulator.Requests(), 1)

	events := whole.Events[1:]
	resumed := s.Do(t, http.MethodGet, token.URL, "", "Last-Event-ID: "+events[0].ID)
	require.Equal(t, http.StatusOK, resumed.Status)
	require.NotContains(t, string(resumed.Body), "id: "+events[0].ID+"\n", "the reader gets no event twice")
	require.Contains(t, string(resumed.Body), "id: "+events[1].ID+"\n")
	polyfill := s.Do(t, http.MethodGet, token.URL+"&lastEventId="+url.QueryEscape(events[0].ID), "")
	require.Equal(t, string(resumed.Body), string(polyfill.Body), "an EventSource that cannot send the header uses the query")
	later := s.Do(t, http.MethodGet, token.URL+"&lastEventId="+url.QueryEscape(events[1].ID), "", "Last-Event-ID: "+events[0].ID)
	require.Equal(t, string(resumed.Body), string(later.Body), "the header takes precedence, because it is newer than the query")
	byID := user.Do(t, http.MethodGet, "/ai-responses/"+strings.Split(events[0].ID, ":")[0]+"/stream?lastEventId="+events[len(events)-1].ID, "")
	require.Equal(t, http.StatusNoContent, byID.Status, "%s", byID.Body)
	end := s.Do(t, http.MethodGet, token.URL, "", "Last-Event-ID: "+events[len(events)-1].ID)
	require.Equal(t, http.StatusNoContent, end.Status, "an EventSource that reconnects is told to stop")
}

func TestStreamTokenIsOnlyForThoseWhoSeeTheTicket(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user, stranger := s.Customer(t), s.Customer(t)
	ticket := user.NewTicket(t)
	made, err := stranger.CreateStreamTokenWithResponse(t.Context(), ticket.ID, nil)
	require.NoError(t, err)
	apitest.RequireProblem(t, made.StatusCode(), made.Body, http.StatusNotFound, client.ProblemCodeNotFound)

	// A token is for one ticket only, even among tickets of one customer.
	mine, others := newStreamToken(t, user, user.NewTicket(t).ID), newStreamToken(t, stranger, stranger.NewTicket(t).ID)
	for _, token := range []client.StreamToken{mine, others} {
		requireInvalidToken(t, s.Do(t, http.MethodGet, streamPath(ticket.ID)+"?stream_token="+token.Token, ""))
	}
	require.Empty(t, s.Simulator.Requests())
}

func TestStreamTokenWorksOnlyForItsStream(t *testing.T) {
	t.Parallel()
	c := newCast(t)
	ticketID := ownedTicket(t, c)
	made := c.Do(t, http.MethodPost, "/tickets/"+ticketID+"/stream-tokens", "", c.owner.Bearer())
	require.Equal(t, http.StatusCreated, made.Status, "%s", made.Body)
	_, rest, found := bytes.Cut(made.Body, []byte(`"token":"`))
	require.True(t, found)
	value, _, _ := bytes.Cut(rest, []byte(`"`))
	token := string(value)
	shared := map[string]string{"ticket_id": ticketID}
	for _, o := range specOperations(t) {
		if o.OperationID == "streamAIResponse" {
			continue
		}
		ids := make([]string, len(o.pathParameters))
		for i, name := range o.pathParameters {
			if shared[name] == "" {
				shared[name] = thing(t, name)(t, c)
			}
			ids[i] = shared[name]
		}
		inQuery := o
		inQuery.template += "?stream_token=" + token
		if o.role == "" {
			inQuery.call(t, c, ids).RequireProblem(t, http.StatusBadRequest, client.ProblemCodeInvalidParameter)
			continue
		}
		before := c.snapshot(t)
		inQuery.call(t, c, ids).RequireProblem(t, http.StatusUnauthorized, client.ProblemCodeUnauthenticated)
		inQuery.call(t, c, ids, c.admin.Bearer()).
			RequireProblem(t, http.StatusBadRequest, client.ProblemCodeInvalidParameter)
		requireInvalidToken(t, o.call(t, c, ids, "Authorization: Bearer "+token))
		require.Equal(t, before, c.snapshot(t), o.OperationID)
	}
	requireInvalidToken(t, c.Do(t, http.MethodGet, "/tickets/"+ticketID+"/ai-response", "", "Authorization: Bearer "+token))
}

func TestInvalidStreamTokensAreRefused(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	ticket := user.NewTicket(t)
	good := newStreamToken(t, user, ticket.ID).Token
	forged := forgery{
		header: map[string]any{"alg": "HS256", "typ": "JWT"},
		claims: map[string]any{
			"iss": "support-backend", "aud": []string{streamPath(ticket.ID)}, "sub": user.ID.String(),
			"iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
		},
		hash: sha256.New, key: desk.Secret,
	}
	head, payload, signature := strings.Split(good, ".")[0], strings.Split(good, ".")[1], strings.Split(good, ".")[2]
	for name, token := range map[string]string{
		"empty":                      "",
		"garbage":                    "garbage",
		"an access token":            user.Token,
		"signed as an access token":  forged.token(t),
		"an access token for it":     forged.headed("typ", "at+jwt").headed("kid", keyID).token(t),
		"without a signature":        head + "." + payload + ".",
		"with another's signature":   head + "." + payload + "." + strings.Split(user.Token, ".")[2],
		"with other claims":          head + "." + strings.Split(forged.token(t), ".")[1] + "." + signature,
		"by no algorithm":            strings.Split(forged.headed("alg", "none").token(t), ".")[0] + "." + payload + ".",
		"cut off":                    good[:len(good)-1],
		"with a letter too many":     good + "A",
		"parts reversed":             signature + "." + payload + "." + head,
		"more than a token may have": good + strings.Repeat("A", 8<<10),
	} {
		t.Run(name, func(t *testing.T) {
			got := s.Do(t, http.MethodGet, streamPath(ticket.ID)+"?stream_token="+token, "")
			requireInvalidToken(t, got)
			if len(token) > 20 {
				require.NotContains(t, string(got.Body), token)
			}
		})
	}
}

func TestRequestWithTwoTokensIsRefused(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	ticket := user.NewTicket(t)
	one, other := newStreamToken(t, user, ticket.ID), newStreamToken(t, user, ticket.ID)
	user.Do(t, http.MethodGet, one.URL, "").RequireProblem(t, http.StatusBadRequest, client.ProblemCodeMalformedRequest)
	s.Do(t, http.MethodGet, one.URL, "", "Authorization: Basic eDp5").
		RequireProblem(t, http.StatusBadRequest, client.ProblemCodeMalformedRequest)
	for _, second := range []string{one.Token, other.Token, ""} {
		s.Do(t, http.MethodGet, one.URL+"&stream_token="+second, "").
			RequireProblem(t, http.StatusBadRequest, client.ProblemCodeMalformedRequest)
	}
	s.Do(t, http.MethodGet, one.URL+"&limit=1", "").
		RequireProblem(t, http.StatusBadRequest, client.ProblemCodeInvalidParameter)
	require.Empty(t, s.Simulator.Requests())
}

func TestStreamTokenExpiresButNotTheStreamThatItHasOpened(t *testing.T) {
	t.Parallel()
	begin := time.Now().Truncate(time.Second)
	var elapsed atomic.Int64
	s := desk.New(t, desk.Options{Now: func() time.Time { return begin.Add(time.Duration(elapsed.Load())) }})
	user := s.Customer(t)
	ticket := user.NewTicket(t)
	token := newStreamToken(t, user, ticket.ID)
	enqueue(t, s, groqsim.Script{Gates: []groqsim.Gate{{Name: "middle", After: 2}}})
	elapsed.Store(int64(3*time.Minute - time.Second))
	stream := make(chan apitest.Response, 1)
	go func() { stream <- s.Do(t, http.MethodGet, token.URL, "") }()
	requireHeld(t, s, "middle")

	elapsed.Store(int64(3*time.Minute + 31*time.Second)) // Three minutes, plus half a minute for differing clocks.
	requireInvalidToken(t, s.Do(t, http.MethodGet, token.URL, ""))
	s.Simulator.Release("middle")
	opened := <-stream
	require.Equal(t, http.StatusOK, opened.Status)
	require.Contains(t, string(opened.Body), "event: done\n", "the stream continues to its end")
	again := s.Do(t, http.MethodGet, newStreamToken(t, user, ticket.ID).URL, "")
	require.Equal(t, http.StatusOK, again.Status, "a new token works")
}

func TestStreamTokenIsNotLogged(t *testing.T) {
	t.Parallel()
	log := &logBuffer{}
	s := desk.New(t, desk.Options{Log: log, Limits: noRetries()})
	user := s.Customer(t)
	ticket := user.NewTicket(t)
	token := newStreamToken(t, user, ticket.ID)
	enqueue(t, s, groqsim.Script{Status: 401}, groqsim.Script{})
	require.Equal(t, http.StatusBadGateway, s.Do(t, http.MethodGet, token.URL, "").Status)
	storetest.Exec(t, s.DatabaseURL, "UPDATE ai_responses SET finished_at = finished_at - interval '1 minute'")
	require.Equal(t, http.StatusOK, s.Do(t, http.MethodGet, token.URL, "").Status)
	require.Equal(t, http.StatusBadRequest, user.Do(t, http.MethodGet, token.URL, "").Status)
	require.Equal(t, http.StatusBadRequest, s.Do(t, http.MethodGet, token.URL+"&x=%zz", "").Status)
	require.Equal(t, http.StatusUnauthorized, s.Do(t, http.MethodGet, token.URL+"A", "").Status)
	require.Equal(t, http.StatusNotFound, s.Do(t, http.MethodGet, "/nowhere?stream_token="+token.Token, "").Status)
	require.Equal(t, http.StatusMethodNotAllowed, s.Do(t, http.MethodPost, token.URL, "").Status)

	text := log.whole()
	require.Contains(t, text, "route=/tickets/{ticket_id}/ai-response", "the requests are logged")
	for part := range strings.SplitSeq(token.Token, ".") {
		require.NotContains(t, text, part)
	}
	require.NotContains(t, text, user.Token)
}

// whole returns the whole log.
func (b *logBuffer) whole() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
