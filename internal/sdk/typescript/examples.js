import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { answerOf, browserSession, createSupport, isProblem, Problem, relay } from '@supportbackend/support';
import { listTickets } from '@supportbackend/support/api';
import { createClient } from '@supportbackend/support/client';

const ticketId = '0199d3c6-1f2a-7c3e-9b61-5e0f3a7c1d22';
const support = createSupport({ baseUrl: process.env.SUPPORT_BASE_URL, token: process.env.SUPPORT_TOKEN });

export async function exampleCreateSupport() {
  let support = createSupport(); // reads SUPPORT_BASE_URL and SUPPORT_TOKEN
  const tokens = await support.logIn({ email: 'ada@example.com', password: 'correct horse battery' });
  support = createSupport({
    baseUrl: process.env.SUPPORT_BASE_URL,
    token: tokens.access_token,
    refreshToken: tokens.refresh_token,
    keepTokens: (next) => {
      // Store next.refresh_token. The previous one no longer works.
    },
  });
}

export async function exampleCreateTicket() {
  const support = createSupport();
  const ticket = await support.createTicket({
    title: 'Invoice 4711 is wrong',
    description: 'I was charged twice for October.',
  });
  console.log(ticket.id, ticket.status);
}

export async function exampleAskAI() {
  const support = createSupport();
  const answer = await support.askAI(ticketId, 'When do I get my money back?');
  console.log(answer.content);
}

export async function exampleStreamAIResponse() {
  const support = createSupport();
  for await (const event of support.streamAIResponse(ticketId)) {
    switch (event.type) {
      case 'delta':
        process.stdout.write(event.content);
        break;
      case 'reset':
        console.log(' … from the beginning:'); // clear the text so far
        break;
      case 'done':
        console.log('\nstored as', event.message.id);
        break;
      case 'failed':
        console.log('\nno answer:', event.code, event.retryable);
    }
  }
}

export async function exampleAnswerOf() {
  const support = createSupport();
  const answer = await answerOf(support.streamAIResponse(ticketId));
  console.log(answer.content);
}

export async function exampleLastEventId() {
  const support = createSupport();
  let last = '0199d3c6-4a10-7d0b-8c55-2f9f60d0a4b7:1'; // the id of the last event that you have
  for await (const event of support.streamAIResponse(ticketId, { lastEventId: last })) {
    last = event.id;
  }
  console.log(last);
}

export async function exampleRelay(request = new Request(`https://shop.example.com/answer?ticket=${ticketId}`)) {
  const { searchParams } = new URL(request.url);
  const customer = support.forCustomer(customerOf(request));
  const lastEventId = request.headers.get('Last-Event-ID');
  return relay(customer.streamAIResponse(searchParams.get('ticket') ?? '', { lastEventId }));
}

/**
 * @param {{ status: number, headers: Headers, body: import('node:stream/web').ReadableStream | null }} response
 * @param {import('node:http').ServerResponse} res
 */
export async function exampleNodeRelay(response, res) {
  res.writeHead(response.status, Object.fromEntries(response.headers));
  if (response.body) {
    await pipeline(Readable.fromWeb(response.body), res).catch(() => undefined); // The browser has left.
  } else {
    res.end(); // There is nothing to resume.
  }
}

/** @param {Request} _ */
function customerOf(_) {
  return 'customer-4711';
}

export async function exampleForCustomer() {
  const support = createSupport(); // SUPPORT_TOKEN is an API key with the scope on_behalf
  const customer = support.forCustomer('customer-4711');
  await customer.createTicket({
    title: 'Invoice 4711 is wrong',
    description: 'I was charged twice for October.',
  });
  for await (const ticket of customer.listTickets()) {
    console.log(ticket.title);
  }
}

export async function exampleStaff() {
  const support = createSupport(); // SUPPORT_TOKEN is an agent's access token
  for await (const ticket of support.listTickets()) {
    if (ticket.status !== 'open') {
      continue;
    }
    // From now on, only people answer. A staff message also cancels an answer that is being written.
    await support.updateTicket(ticket.id, { ai_mode: 'off' });
    await support.createMessage(ticket.id, { content: 'You get it back this week.' });
    await support.updateTicket(ticket.id, { status: 'resolved' });
  }
}

export async function exampleListTickets() {
  const support = createSupport();
  // limit is the size of a page; the loop covers all pages
  for await (const ticket of support.listTickets({ limit: 2 })) {
    console.log(ticket.id, ticket.title);
  }
}

export async function exampleIfMatch() {
  const support = createSupport();
  try {
    // The ETag of an earlier response, from responseHeaders.
    await support.updateTicket(ticketId, { status: 'pending' }, { ifMatch: '"3"' });
  } catch (error) {
    if (!isProblem(error, 'precondition_failed')) {
      throw error;
    }
    console.log('somebody else changed it first');
  }
}

export async function exampleProblem() {
  const support = createSupport();
  try {
    await support.createTicket({
      title: 'Invoice 4711 is wrong',
      description: 'I was charged twice for October.',
    });
  } catch (error) {
    if (!(error instanceof Problem)) {
      throw error;
    }
    console.log(error.status, error.code, error.requestId);
    for (const field of error.errors) {
      console.log(field.pointer, field.code);
    }
  }
}

export async function exampleBrowserSession() {
  const session = browserSession();
  const support = createSupport({ baseUrl: process.env.SUPPORT_BASE_URL, sessionStore: session });
  const tokens = await support.logIn({ email: 'ada@example.com', password: 'correct horse battery' });
  await session.update(() => tokens);

  await support.logOut();
  await session.update(() => undefined);
}

export async function examplePlainClient() {
  const client = createClient({ baseUrl: process.env.SUPPORT_BASE_URL, auth: process.env.SUPPORT_TOKEN });
  const { data, error, response } = await listTickets({ client, query: { limit: 2 } });
  console.log(response.status, data?.length, error?.code);
}
