// The AG-UI client against the servers.
import { HttpAgent } from '@ag-ui/client';
import { agent, assert, bearer, call, expire, history, newTicket, release, requests, script, servers, test, until, word } from './desk.mjs';

function newAgent(threadId, { base = servers[0], ...more } = {}) {
  const agui = new HttpAgent({ url: `${base}/ag-ui`, headers: bearer(), threadId, ...more });
  agui.events = [];
  agui.subscribe({ onEvent: ({ event }) => void agui.events.push(event) });
  return agui;
}

const ask = (agui, text) => agui.addMessage({ id: crypto.randomUUID(), role: 'user', content: text });
const text = (agui) => agui.messages.at(-1)?.content;

test('AG-UI: the text is the stored message, and a second run joins the first', async () => {
  const [ticket, question] = [await newTicket(), word()];
  await script(question, ['Gr', 'üße 👋', '\n\ndata: x\n\n']);
  const agui = newAgent(ticket);
  ask(agui, question);
  const { newMessages } = await agui.runAgent();
  const stored = await history(ticket);
  assert.equal(newMessages[0].content, stored.at(-1).parts[0].text);
  assert.deepEqual(agui.messages.map((m) => m.id), stored.slice(1).map((m) => m.id));

  const again = newAgent(ticket, { base: servers[1], initialMessages: agui.messages.slice(0, 1) });
  await again.runAgent();
  assert.deepEqual(again.messages.map((m) => [m.id, m.content]), agui.messages.map((m) => [m.id, m.content]));
  assert.deepEqual(await requests(question), ['completed']);

  ask(agui, `And then? ${word()}`);
  await agui.runAgent();
  assert.equal((await history(ticket)).length, 5);
});

test("AG-UI: a lost owner's text is taken back", async () => {
  const [ticket, question] = [await newTicket(), word()];
  await script(question, ['Half an ', 'answer'], { gates: [{ name: question, after: 1 }] });
  await script(question, ['A whole ', 'answer.']);
  const agui = newAgent(ticket);
  ask(agui, question);
  const run = agui.runAgent();
  await until(() => text(agui) === 'Half an ', 'the first word');
  await expire(ticket);
  await run;
  assert.equal(text(agui), 'A whole answer.');
  assert.ok(agui.events.some((event) => event.type === 'MESSAGES_SNAPSHOT'));
  await release(question);
});

test('AG-UI: a run that is stopped, taken over or refused is an error', async () => {
  const [ticket, question] = [await newTicket(), word()];
  await script(question, ['Half an ', 'answer'], { times: 2, gates: [{ name: question, after: 1 }] });
  const agui = newAgent(ticket);
  ask(agui, question);
  let run = agui.runAgent();
  await until(() => text(agui) === 'Half an ', 'the first word');
  await call('POST', `/ui/chat/${ticket}/stop`);
  await assert.rejects(run, /cancelled|stopped|Half/i).catch(() => {});
  await until(() => agui.events.at(-1).type === 'RUN_ERROR', 'the error');
  assert.equal(agui.events.at(-1).code, 'cancelled');

  const other = newAgent(ticket, { initialMessages: agui.messages.slice(0, 1) });
  run = other.runAgent().catch(() => {});
  await until(() => text(other) === 'Half an ', 'the first word');
  await call('POST', `/tickets/${ticket}/messages`, { token: agent, body: { content: 'I have refunded it.' } });
  await run;
  assert.equal(other.events.at(-1).code, 'superseded');

  await call('PATCH', `/tickets/${ticket}`, { token: agent, body: { ai_mode: 'off' } });
  const later = newAgent(ticket);
  ask(later, 'Thank you.');
  await later.runAgent();
  assert.deepEqual(later.events.filter((event) => event.type === 'CUSTOM').map((event) => [event.name, event.value.code]), [['unanswered', 'ai_disabled']]);

  const refused = newAgent(crypto.randomUUID());
  ask(refused, 'Hello?');
  await assert.rejects(refused.runAgent(), /404/);
});
