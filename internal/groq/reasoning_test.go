package groq

import (
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func TestAModelIsKnownAfterItsFirstAnswer(t *testing.T) {
	t.Parallel()
	deltas := func(client *Client) (all []string) {
		s := client.Stream(t.Context(), question)
		for s.Next() {
			all = append(all, s.Delta())
		}
		require.NoError(t, s.Close())
		require.NoError(t, s.Err())
		return all
	}
	compatible := func(answers ...string) *Client {
		u := &upstream{}
		for _, body := range answers {
			u.answers = append(u.answers, respond(200, body))
		}
		client, err := New(Options{BaseURL: "http://other.test/v1", HTTPClient: &http.Client{Transport: u}, Limits: testLimits()})
		require.NoError(t, err)
		return client
	}
	plain := say("Hel") + say("lo") + stop + done
	thinks := say("secret") + say("</think>") + say("Hel") + say("lo") + stop + done
	separate := `data: {"choices":[{"delta":{"reasoning_content":"hm"}}]}` + "\n\n" + plain

	client := compatible(plain, plain, say("Hel")+finish("length"))
	require.Equal(t, []string{"Hello"}, deltas(client), "the first answer is sent as a whole")
	require.Equal(t, []string{"Hel", "lo"}, deltas(client))

	client = compatible(thinks, thinks, plain)
	require.Equal(t, []string{"Hel", "lo"}, deltas(client))
	require.Equal(t, []string{"Hel", "lo"}, deltas(client))
	require.Equal(t, []string{"Hello"}, deltas(client), "a model that wrote inline reasoning once is always buffered")

	client = compatible(separate, plain)
	require.Equal(t, []string{"Hel", "lo"}, deltas(client), "reasoning in its own field does not affect the text")
	require.Equal(t, []string{"Hel", "lo"}, deltas(client))

	client = compatible(plain, thinks, thinks)
	deltas(client)
	text, fault := drain(t, client.Stream(t.Context(), question))
	require.Equal(t, "secret", text)
	require.Equal(t, "inline_reasoning", fault.Code, "such an answer is not stored")
	require.Equal(t, []string{"Hel", "lo"}, deltas(client), "the next answer is buffered")
}

func TestReasoningFieldsAreDropped(t *testing.T) {
	t.Parallel()
	for _, field := range []string{"reasoning", "reasoning_content", "thinking"} {
		body := `data: {"choices":[{"delta":{"` + field + `":"secret"}}]}` + "\n\n" + say("Hello") + stop + done
		out := decode(iotest.OneByteReader(strings.NewReader(body)), testLimits())
		require.Equal(t, "Hello", out.text)
	}
}
