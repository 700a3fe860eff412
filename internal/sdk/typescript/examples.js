import { createSupport, isProblem, Problem } from '@supportbackend/support';
import { listTickets } from '@supportbackend/support/api';
import { createClient } from '@supportbackend/support/client';

const ticketId = '0199d3c6-1f2a-7c3e-9b61-5e0f3a7c1d22';

export async function exampleCreateSupport() {
  let support = createSupport(); // SUPPORT_BASE_URL says where, SUPPORT_TOKEN as whom
  const tokens = await support.logIn({ email: 'ada@example.com', password: 'correct horse battery' });
  support = createSupport({
    baseUrl: process.env.SUPPORT_BASE_URL,
    token: tokens.access_token,
    refreshToken: tokens.refresh_token,
    keepTokens: (next) => {
      // Keep next.refresh_token in place of the one before.
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

export async function exampleStreamAIResponse() {
  const support = createSupport();
  for await (const event of support.streamAIResponse(ticketId)) {
    switch (event.type) {
      case 'delta':
        process.stdout.write(event.content);
        break;
      case 'reset':
        console.log(' … from the beginning:'); // clear what you have shown
        break;
      case 'done':
        console.log('\nstored as', event.message.id);
        break;
      case 'failed':
        console.log('\nno answer:', event.code, event.retryable);
    }
  }
}

export async function exampleAskAI() {
  const support = createSupport();
  const answer = await support.askAI(ticketId);
  console.log(answer.content);
}

export async function exampleListTickets() {
  const support = createSupport();
  // limit is that of a page; the iterator goes over all pages
  for await (const ticket of support.listTickets({ limit: 2 })) {
    console.log(ticket.id, ticket.title);
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

export async function exampleIfMatch() {
  const support = createSupport();
  try {
    // An ETag that responseHeaders got.
    await support.updateTicket(ticketId, { status: 'pending' }, { ifMatch: '"3"' });
  } catch (error) {
    if (!isProblem(error, 'precondition_failed')) {
      throw error;
    }
    console.log('somebody was faster');
  }
}

export async function examplePlainClient() {
  const client = createClient({ baseUrl: process.env.SUPPORT_BASE_URL, auth: process.env.SUPPORT_TOKEN });
  const { data, error, response } = await listTickets({ client, query: { limit: 2 } });
  console.log(response.status, data?.length, error?.code);
}
