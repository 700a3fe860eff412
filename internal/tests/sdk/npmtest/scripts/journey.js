// A customer's journey through a real server, from sign-up to log-out. It throws on any unexpected result.
import { answerOf, createSupport, isProblem, NotModified } from '@supportbackend/support';

export default async function run(baseUrl, email) {
  const password = 'a long and rare password';
  const anonymous = createSupport({ baseUrl, token: '' });
  const user = await anonymous.signUp({ email, password });
  same(user.email, email);
  const tokens = await anonymous.logIn({ email, password });

  // With only a refresh token, the first call begins with a refresh, which concurrent calls share.
  const kept = [];
  const support = createSupport({
    baseUrl,
    token: '',
    refreshToken: tokens.refresh_token,
    keepTokens: (next) => kept.push(next.access_token),
  });
  const accounts = await Promise.all([support.getMe(), support.getMe(), support.getMe()]);
  same(new Set(accounts.map((account) => account.id)).size, 1);
  same(kept.length, 1);

  const ticket = await support.createTicket({ title: 'Invoice 4711 is wrong', description: 'I was charged twice.' });
  await answers(support, ticket);
  await repeats(support, ticket);
  await versions(support, ticket);
  await pages(support, ticket);
  await problems(support);

  await support.logOut();
  same((await fails(support.getMe())).status, 401);
  return 'logged out';
}

async function answers(support, ticket) {
  const kinds = [];
  const ids = [];
  let text = '';
  let message;
  for await (const event of support.streamAIResponse(ticket.id)) {
    kinds.push(event.type);
    ids.push(event.id);
    switch (event.type) {
      case 'delta':
        text += event.content;
        break;
      case 'reset':
        text = '';
        break;
      case 'done':
        message = event.message;
    }
  }
  same(kinds.at(0), 'start');
  same(kinds.at(-1), 'done');
  same(message.content, text);
  same(ids.shift(), '');
  same(ids.every((id, i) => id.split(':')[1] === `${i + 1}`), true);
  same((await answerOf(support.streamAIResponse(ticket.id))).id, message.id);

  // Another process continues after an event.
  const rest = [];
  for await (const { id } of support.streamAIResponse(ticket.id, { lastEventId: ids[0] })) {
    rest.push(id);
  }
  same(rest.filter((id) => id !== '').join(), ids.slice(1).join());

  // Leaving the loop disconnects, and aborting ends the call.
  for await (const event of support.streamAIResponse(ticket.id)) {
    same(event.type, 'start');
    break;
  }
  const reason = new Error('enough');
  same(await fails(support.askAI(ticket.id, 'Hello?', { signal: AbortSignal.abort(reason) })), reason);
  same(await fails(support.getTicket(ticket.id, { signal: AbortSignal.abort(reason) })), reason);
}

async function repeats(support, ticket) {
  const options = { idempotencyKey: `journey-${ticket.id}` };
  same((await support.askAI(ticket.id, 'When do I get my money back?')).is_ai, true);
  const first = await support.createMessage(ticket.id, { content: 'Is there any news?' }, options);
  const again = await support.createMessage(ticket.id, { content: 'Is there any news?' }, options);
  same(again.id, first.id);
}

async function versions(support, ticket) {
  let etag;
  await support.getTicket(ticket.id, { responseHeaders: (headers) => (etag = headers.get('ETag')) });
  same((await fails(support.getTicket(ticket.id, { ifNoneMatch: etag }))) instanceof NotModified, true);
  await support.createMessage(ticket.id, { content: 'Hello?' });
  const late = await fails(support.updateTicket(ticket.id, { status: 'closed' }, { ifMatch: etag }));
  same(isProblem(late, 'precondition_failed'), true);
}

async function pages(support, ticket) {
  const ids = [ticket.id];
  for (let i = 0; i < 4; i++) {
    ids.unshift((await support.createTicket({ title: `Ticket ${i}`, description: 'One of many.' })).id);
  }
  const listed = [];
  for await (const { id } of support.listTickets({ limit: 2 })) {
    listed.push(id);
  }
  same(listed.join(), ids.join());
  const page = await support.listTicketsPage({ limit: 2 });
  same(page.items.length, 2);
  same(typeof page.next, 'string');
}

async function problems(support) {
  const missing = await fails(support.getTicket('0199d3c6-1f2a-7c3e-9b61-5e0f3a7c1d22'));
  same(isProblem(missing, 'not_found'), true);
  same(missing.requestId.length > 0, true);
  const invalid = await fails(support.createTicket({ title: '', description: 'No title.' }));
  same(`${invalid.status} ${invalid.code} ${invalid.errors[0].pointer}`, '422 validation_failed /title');
}

function same(got, want) {
  if (got !== want) {
    throw new Error(`want ${want}, got ${got}`);
  }
}

async function fails(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}
