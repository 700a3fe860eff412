//go:build node

package sdktest_test

import (
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/tests/sdk/npmtest"
)

// writeReceiver writes the guide's receiver into a program that takes requests as Express passes them.
func writeReceiver(t *testing.T, project npmtest.Project) {
	t.Helper()
	project.Write(t, "receiver.mts", `
import { verifyWebhook, WebhookError, type WebhookEvent } from '@supportbackend/support';

interface Request { headers: Record<string, string | string[] | undefined>; body: Uint8Array }
interface Response { sendStatus(status: number): void }
type Handler = (request: Request, response: Response) => Promise<void>;
let handle: Handler | undefined;
const app = { post: (_path: string, _parser: unknown, handler: Handler) => { handle = handler; } };
const express = { raw: (options: { type: string }) => options };
const queue = { add: async (id: string, event: WebhookEvent) => {
  if (process.env.FAILING) throw new Error('the disk is full');
  console.log(id, event.type);
} };
`+shown(t, "ts")+`
const { headers, body } = JSON.parse(process.env.DELIVERY!);
await handle!({ headers, body: new TextEncoder().encode(body) }, { sendStatus: (status) => console.log(status) });
`)
}

// takesDeliveriesAsTheGuideDoes runs the guide's receiver, compiled, on requests as Express passes them.
func takesDeliveriesAsTheGuideDoes(t *testing.T, project npmtest.Project) {
	t.Helper()
	for id, want := range map[string]string{"an-id": "an-id ticket.created\n204\n", "another-id": "400\n"} {
		require.Equal(t, want, project.Node(t, []string{"WEBHOOK_SECRET=" + hookSecret, "DELIVERY=" + asExpress(t, id)}, "receiver.mjs"))
	}
	env := []string{"WEBHOOK_SECRET=" + hookSecret, "FAILING=1", "DELIVERY=" + asExpress(t, "an-id")}
	require.Equal(t, "503\n", project.Node(t, env, "receiver.mjs"))
}

// asExpress returns a delivery as Express passes it to a handler, as JSON.
func asExpress(t *testing.T, id string) string {
	t.Helper()
	r := delivery(t.Context(), t, "http://localhost", id)
	body, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	headers := map[string]string{}
	for name := range r.Header {
		headers[strings.ToLower(name)] = r.Header.Get(name)
	}
	text, err := json.Marshal(map[string]any{"headers": headers, "body": string(body)})
	require.NoError(t, err)
	return string(text)
}
