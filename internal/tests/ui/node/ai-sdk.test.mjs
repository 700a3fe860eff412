// The chat of each major version of the AI SDK, against the servers.
import * as v5 from 'ai5';
import * as v6 from 'ai6';
import * as v7 from 'ai';
import { agent, assert, bearer, call, customer, expire, history, kill, newTicket, release, requests, script, servers, shown, test, until, word } from './desk.mjs';

const versions = [
  ['5', v5, '/ui/chat'],
  ['6', v6, '/ui/chat'],
  ['7', v7, '/ui/v7/chat'],
];

// newChat returns useChat without React.
function newChat({ AbstractChat, DefaultChatTransport }, api, id, options = {}) {
  const { base = servers[0], token = customer, messages = [], ...more } = options;
  const state = {
    status: 'ready',
    error: undefined,
    messages,
    data: [],
    pushMessage: (message) => (state.messages = [...state.messages, message]),
    popMessage: () => (state.messages = state.messages.slice(0, -1)),
    replaceMessage: (i, message) => (state.messages = state.messages.with(i, message)),
    snapshot: structuredClone,
  };
  class Chat extends AbstractChat {}
  const chat = new Chat({
    id,
    state,
    transport: new DefaultChatTransport({ api: base + api, headers: () => bearer(token) }),
    onData: (part) => state.data.push(part),
    onError: () => {},
    ...more,
  });
  return Object.assign(chat, { seen: state });
}

// The text of the answer so far.
const answer = ({ lastMessage }) => (lastMessage?.role === 'assistant' ? shown(lastMessage) : '');

for (const [version, sdk, api] of versions) {
  const chatOf = (id, options) => newChat(sdk, api, id, options);

  test(`AI SDK ${version}: the text is the stored message`, async () => {
    const [ticket, question] = [await newTicket(), word()];
    await script(question, ['Gr', 'üße 👋', '\n\ndata: [DONE]\n\n', '<b> \u2028']);
    const chat = chatOf(ticket);
    await chat.sendMessage({ text: question });
    assert.equal(chat.status, 'ready', chat.error);
    const last = chat.lastMessage;
    const stored = await history(ticket);
    assert.equal(shown(last), stored.at(-1).parts[0].text);
    assert.deepEqual(
      chat.messages.map((m) => [m.id, m.role]),
      stored.slice(1).map((m) => [m.id, m.role]),
    );
    assert.equal(last.metadata.author, 'ai');
    assert.equal(last.metadata.created_at, stored.at(-1).metadata.created_at);
    const rated = await call('PUT', `/messages/${last.id}/feedback`, { body: { rating: 'up' } });
    assert.equal(rated.status, 200);

    await chat.sendMessage({ text: `And then? ${word()}` });
    await chat.regenerate();
    assert.equal(chat.status, 'ready', chat.error);
    assert.deepEqual((await history(ticket)).slice(1).map((m) => m.id), chat.messages.map((m) => m.id));
  });

  test(`AI SDK ${version}: a page that is reloaded goes on without a gap or a repetition`, async () => {
    const [ticket, question] = [await newTicket(), word()];
    const deltas = Array.from({ length: 60 }, (_, i) => `word-${i} `);
    await script(question, deltas, { tokens_per_second: 60, gates: [{ name: question, after: 30 }] });
    const pages = [chatOf(ticket)];
    void pages[0].sendMessage({ text: question });
    await until(() => answer(pages[0]), 'the first word');
    // Reloads at random points, some on the other replica, each with the current history.
    for (let i = 0; i < 16; i++) {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 40));
      const page = chatOf(ticket, { base: servers[i % 2], messages: await history(ticket) });
      void page.resumeStream();
      pages.push(page);
      if (i % 3 === 0) void pages[Math.floor(Math.random() * i)].stop();
    }
    await until(() => answer(pages.at(-1)), 'the last page to read');
    await release(question);
    await until(() => pages.every((page) => page.status === 'ready'), 'all pages to be ready');
    const whole = deltas.join('');
    const last = pages.at(-1);
    assert.equal(shown(last.lastMessage), whole);
    for (const page of pages) {
      assert.ok(whole.startsWith(answer(page)), answer(page));
      assert.equal(page.messages.filter((m) => m.role === 'assistant').length <= 1, true);
    }
    assert.deepEqual(await requests(question), ['completed'], 'one request to the AI');
    const late = chatOf(ticket, { messages: await history(ticket) });
    await late.resumeStream();
    assert.equal(late.messages.length, 3);
    assert.equal(late.status, 'ready');
  });

  test(`AI SDK ${version}: a lost owner's text is taken back`, async () => {
    const [ticket, question] = [await newTicket(), word()];
    await script(question, ['Half an ', 'answer'], { gates: [{ name: question, after: 1 }] });
    await script(question, ['A whole ', 'answer.']);
    const chat = chatOf(ticket);
    const sent = chat.sendMessage({ text: question });
    await until(() => answer(chat) === 'Half an ', 'the first word');
    await expire(ticket);
    await sent;
    assert.equal(chat.status, 'ready', chat.error);
    assert.equal(shown(chat.lastMessage), 'A whole answer.');
    assert.equal((await history(ticket)).at(-1).parts[0].text, 'A whole answer.');
    await release(question);
  });

  test(`AI SDK ${version}: stop ends the answer within a second`, async () => {
    const [ticket, question] = [await newTicket(), word()];
    await script(question, ['Half an ', 'answer'], { gates: [{ name: question, after: 1 }] });
    const [chat, other] = [chatOf(ticket), chatOf(ticket)];
    const sent = chat.sendMessage({ text: question });
    await until(() => answer(chat) === 'Half an ', 'the first word');
    const resumed = other.resumeStream();
    await until(() => answer(other) === 'Half an ', 'the second tab');
    const at = performance.now();
    assert.equal((await call('POST', `/ui/chat/${ticket}/stop`)).status, 204);
    await chat.stop();
    await Promise.all([sent, resumed]);
    await until(async () => (await requests(question))[0] === 'client_gone', 'the AI to be told');
    assert.ok(performance.now() - at < 2000, 'within a second, and a little for a busy machine');
    assert.equal(other.status, 'ready', other.error);
    assert.equal((await history(ticket)).length, 2);
  });

  test(`AI SDK ${version}: staff take over`, async () => {
    const [ticket, question] = [await newTicket(), word()];
    await script(question, ['Half an ', 'answer'], { gates: [{ name: question, after: 1 }] });
    const chat = chatOf(ticket);
    const sent = chat.sendMessage({ text: question });
    await until(() => answer(chat) === 'Half an ', 'the first word');
    await call('POST', `/tickets/${ticket}/messages`, { token: agent, body: { content: 'I have refunded it.' } });
    await sent;
    assert.equal(chat.status, 'error');
    assert.deepEqual(chat.seen.data.map((part) => [part.type, part.data.code]), [['data-failed', 'superseded']]);
    chat.messages = await history(ticket);
    assert.equal(chat.lastMessage.metadata.author, 'agent');

    await call('PATCH', `/tickets/${ticket}`, { token: agent, body: { ai_mode: 'off' } });
    await chat.sendMessage({ text: 'Thank you.' });
    assert.equal(chat.status, 'ready', chat.error);
    assert.equal(chat.lastMessage.role, 'user', 'a human will answer');
    assert.equal(chat.seen.data.at(-1).type, 'data-unanswered');
  });

  test(`AI SDK ${version}: a failure is an error`, async () => {
    const [ticket, question] = [await newTicket(), word()];
    await script(question, ['Half an ', 'answer'], { cut_after: 1 });
    const chat = chatOf(ticket);
    await chat.sendMessage({ text: question });
    assert.equal(chat.status, 'error');
    assert.equal(chat.seen.data.at(-1).data.code, 'ai_protocol');
    await chat.regenerate();
    assert.equal(chat.status, 'ready', chat.error);

    const refused = chatOf(ticket, { token: 'none' });
    await refused.sendMessage({ text: 'Hello?' });
    assert.equal(JSON.parse(refused.error.message).code, 'invalid_token');
    const blank = chatOf(ticket);
    await blank.sendMessage({ text: ' ' });
    assert.equal(JSON.parse(blank.error.message).code, 'validation_failed');
    await blank.sendMessage({ text: `Not in the way of the next one: ${word()}` });
    assert.equal(blank.status, 'ready', blank.error);
  });

  test(`AI SDK ${version}: 100 readers are one request to the AI`, async () => {
    const [ticket, question] = [await newTicket(), word()];
    await script(question, ['Hel', 'lo.'], { gates: [{ name: question, after: 1 }] });
    const first = chatOf(ticket);
    const sent = first.sendMessage({ text: question });
    await until(() => answer(first), 'the first word');
    const readers = Array.from({ length: 90 }, (_, i) => chatOf(ticket, { base: servers[i % 2] }));
    const read = readers.map((reader) => reader.resumeStream());
    await until(() => readers.every(answer), 'all to read');
    await release(question);
    await Promise.all([sent, ...read]);
    for (const reader of [first, ...readers]) assert.equal(shown(reader.lastMessage), 'Hello.');
    assert.deepEqual(await requests(question), ['completed']);
  });
}

test('AI SDK 7: kill -9 of the server that writes', async () => {
  const [ticket, question] = [await newTicket(), word()];
  await script(question, ['Half an ', 'answer'], { gates: [{ name: question, after: 1 }] });
  await script(question, ['A whole ', 'answer.']);
  const [chat, other] = [servers[2], servers[0]].map((base) => newChat(v7, '/ui/v7/chat', ticket, { base }));
  const sent = chat.sendMessage({ text: question });
  await until(() => answer(chat) === 'Half an ', 'the first word');
  const resumed = other.resumeStream();
  await until(() => answer(other) === 'Half an ', 'the other reader');
  await kill(2);
  await sent;
  assert.equal(chat.status, 'error');
  await resumed;
  assert.equal(other.status, 'ready', other.error);
  assert.equal(answer(other), 'A whole answer.');
  const again = newChat(v7, '/ui/v7/chat', ticket, { messages: chat.messages.slice(0, 1) });
  await again.sendMessage();
  assert.equal(answer(again), 'A whole answer.', 'sent again, it is the same message');
  assert.deepEqual((await history(ticket)).slice(1).map((m) => m.id), again.messages.map((m) => m.id));
});
