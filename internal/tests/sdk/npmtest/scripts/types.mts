// Compiled with TypeScript's strictest options, as an ES module and as CommonJS.
import { answerOf, browserSession, createSupport, followEvents, relay, type StreamEvent, type Support } from '@supportbackend/support';
import { listTickets } from '@supportbackend/support/api';
import { createClient } from '@supportbackend/support/client';

const maybe: string | undefined = process.env['NOTHING'];
const signal: AbortSignal | undefined = undefined;
// Bun's global fetch has more members than this.
const traced = (url: string, init: RequestInit): Promise<Response> => fetch(url, init);
const support: Support = createSupport({
  fetch: traced,
  baseUrl: 'https://support.example.com',
  token: maybe,
  headers: { 'X-Trace': maybe },
  sessionStore: browserSession(),
});

export async function use(): Promise<Response> {
  const customer = support.forCustomer('customer-4711');
  await customer.listTicketsPage({ cursor: maybe, limit: undefined }, { signal, idempotencyKey: maybe, lastEventId: null });
  const events: AsyncGenerator<StreamEvent, void, undefined> = support.streamAIResponse('x', { signal });
  for await (const event of events) {
    const id: string = event.id;
    console.log(id, event.type === 'delta' ? event.content : '');
  }
  await answerOf(events);
  for await (const event of followEvents(support, { after: undefined, types: maybe, ticket_id: maybe }, { signal })) {
    const position: number = event.position;
    console.log(position);
  }
  const client = createClient({ baseUrl: 'https://support.example.com' });
  await listTickets({ client, query: { limit: 2 } });
  return relay(events);
}

console.log(typeof support.getMe);
