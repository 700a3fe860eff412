// The stream reader of assistant-ui.
import { AssistantMessageAccumulator, UIMessageStreamDecoder } from 'assistant-stream';
import { assert, bearer, expire, history, newTicket, release, script, servers, test, until, word } from './desk.mjs';

// read sends a message and accumulates the stream as useDataStreamRuntime does, and calls back with each state of the message.
async function read(ticket, question, onState = () => {}) {
  const response = await fetch(`${servers[0]}/ui/chat`, {
    method: 'POST',
    headers: { ...bearer(), 'Content-Type': 'application/json' },
    body: JSON.stringify({ id: ticket, messages: [{ unstable_id: question, role: 'user', content: [{ type: 'text', text: question }] }] }),
  });
  assert.equal(response.status, 200);
  let last;
  const states = response.body.pipeThrough(new UIMessageStreamDecoder()).pipeThrough(new AssistantMessageAccumulator());
  for await (const state of states) onState((last = state));
  return last;
}

const texts = (message) => message.parts.filter((part) => part.type === 'text').map((part) => part.text);

test('assistant-ui: the text is the stored message', async () => {
  const [ticket, question] = [await newTicket(), word()];
  await script(question, ['Gr', 'üße 👋', '\n\ndata: [DONE]\n\n']);
  const message = await read(ticket, question);
  assert.deepEqual(texts(message), [(await history(ticket)).at(-1).parts[0].text]);
  assert.equal(message.status.type, 'complete');
});

test('assistant-ui: a failure is an error', async () => {
  const [ticket, question] = [await newTicket(), word()];
  await script(question, ['Half an ', 'answer'], { cut_after: 1 });
  const message = await read(ticket, question);
  assert.deepEqual([message.status.type, message.status.reason], ['incomplete', 'error']);
});

// assistant-ui cannot retract text, as the guide says.
test('assistant-ui: after a lost owner both texts stand until the history is read', async () => {
  const [ticket, question] = [await newTicket(), word()];
  await script(question, ['Half an ', 'answer'], { gates: [{ name: question, after: 1 }] });
  await script(question, ['A whole ', 'answer.']);
  let seen;
  const reading = read(ticket, question, (state) => (seen = state));
  await until(() => seen && texts(seen)[0] === 'Half an ', 'the first word');
  await expire(ticket);
  const message = await reading;
  assert.deepEqual(texts(message), ['Half an ', 'A whole answer.']);
  assert.equal((await history(ticket)).at(-1).parts[0].text, 'A whole answer.');
  await release(question);
});
