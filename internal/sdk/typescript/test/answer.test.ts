import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { answerOf, Failed, isProblem, NoAnswer, relay, type StreamEvent } from '../src/index.js';
import { body, connect, delta, failed, json, openStream, problem, responseId, ticketId } from './server.js';

async function* events(...all: object[]): AsyncGenerator<StreamEvent, void, undefined> {
  yield* all as StreamEvent[];
}

test('a relayed stream equals the original, byte for byte', async (t) => {
  // This version of the contract does not have the member "later".
  const done = `id: ${responseId}:3\nevent: done\ndata: {"type":"done","later":[1],"message":{}}\n\n`;
  const sent = delta(1, 'Grüß\n') + delta(2, '👋') + done;
  const support = await connect(t, (_, response) => {
    openStream(response);
    response.end(sent);
  });
  const response = await relay(support.streamAIResponse(ticketId));
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('Content-Type'), 'text/event-stream');
  assert.equal(response.headers.get('Cache-Control'), 'no-cache, no-transform');
  assert.equal(await response.text(), sent);
});

test('a stream begins after the last event id of the browser', async (t) => {
  let last: unknown;
  const support = await connect(t, (request, response) => {
    last = request.headers['last-event-id'];
    openStream(response);
    response.end(delta(1) + delta(2) + failed(3));
  });
  const ids: string[] = [];
  for await (const { id } of support.streamAIResponse(ticketId, { lastEventId: `${responseId}:1` })) {
    ids.push(id);
  }
  assert.equal(last, `${responseId}:1`);
  assert.deepEqual(ids, [`${responseId}:2`, `${responseId}:3`]);
});

test('relay rejects when the stream fails before its first event', async (t) => {
  const support = await connect(t, (_, response) => problem(response, 404, 'not_found'));
  await assert.rejects(relay(support.streamAIResponse(ticketId)), (error) => isProblem(error, 'not_found'));
});

test('a relayed stream without events stops an EventSource', async () => {
  assert.equal((await relay(events())).status, 204);
});

test('a relayed stream ends when the stream fails', async () => {
  const response = await relay((async function* () {
    yield { type: 'delta', content: 'Hello', id: 'a:1' } as const;
    throw new Error('the connection of the stream was lost');
  })());
  assert.equal(await response.text(), 'id: a:1\ndata: {"type":"delta","content":"Hello"}\n\n');
});

test('a relayed stream sends comments while it waits', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let end: () => void = () => undefined;
  const waiting = new Promise<void>((resolve) => (end = resolve));
  const response = await relay((async function* () {
    yield { type: 'delta', content: 'Hello', id: 'a:1' } as const;
    await waiting;
  })());
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  assert.match((await reader.read()).value ?? '', /Hello/);
  for (let i = 0; i < 3; i++) {
    const next = reader.read();
    await new Promise((resolve) => setImmediate(resolve));
    t.mock.timers.tick(5_000);
    assert.equal((await next).value, ':\n\n');
  }
  end();
  assert.equal((await reader.read()).done, true);
});

test('a relayed stream begins with a comment when its first event takes long', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  for (const fails of [false, true]) {
    let think: () => void = () => undefined;
    const thinking = new Promise<void>((resolve) => (think = resolve));
    const relaying = relay((async function* () {
      await thinking;
      if (fails) {
        throw new Error('the connection of the stream was lost');
      }
      yield { type: 'delta', content: 'Hello', id: 'a:1' } as const;
    })());
    t.mock.timers.tick(5_000);
    const reader = (await relaying).body!.pipeThrough(new TextDecoderStream()).getReader();
    assert.equal((await reader.read()).value, ':\n\n');
    const next = reader.read();
    await new Promise((resolve) => setImmediate(resolve));
    t.mock.timers.tick(5_000);
    assert.equal((await next).value, ':\n\n');
    think();
    assert.match((await reader.read()).value ?? '', fails ? /^$/ : /Hello/);
  }
});

test('a late failure of a relayed stream that nobody reads is handled', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let fail: (error: Error) => void = () => undefined;
  const failing = new Promise<void>((_, reject) => (fail = reject));
  const relaying = relay((async function* () {
    await failing;
    yield { type: 'delta', content: 'Hello', id: 'a:1' } as const;
  })());
  t.mock.timers.tick(5_000);
  const response = await relaying;
  fail(new Error('the connection of the stream was lost'));
  await new Promise((resolve) => setImmediate(resolve)); // Node would end the process here.
  await response.body!.cancel();
});

test('relay leaves the stream when the browser disconnects', async (t) => {
  let closed: Promise<unknown> | undefined;
  const support = await connect(t, (_, response) => {
    closed = once(response, 'close');
    openStream(response);
    response.write(delta(1));
  });
  const response = await relay(support.streamAIResponse(ticketId));
  const reader = response.body!.getReader();
  await reader.read();
  const next = reader.read();
  await reader.cancel();
  assert.equal((await next).done, true);
  await closed;
});

test('askAI adds the question and waits for its answer', async (t) => {
  const requests: string[] = [];
  const support = await connect(t, async (request, response) => {
    const { 'idempotency-key': key, 'if-match': version, 'x-on-behalf-of': customer } = request.headers;
    requests.push(`${request.method} ${request.url} ${key} ${version} ${customer} ${await body(request)}`);
    if (request.method === 'POST') {
      json(response, 201, { id: 'q', ai_response_id: responseId });
      return;
    }
    openStream(response);
    response.end(`id: a:1\nevent: done\ndata: {"type":"done","message":{"id":"m"}}\n\n`);
  });
  const customer = support.forCustomer('ada');
  const options = { idempotencyKey: 'key-1', headers: { 'If-Match': '"7"' } };
  assert.equal((await customer.askAI(ticketId, 'When?', options)).id, 'm');
  assert.deepEqual(requests, [
    `POST /tickets/${ticketId}/messages key-1 "7" ada {"content":"When?","respond":true}`,
    `GET /ai-responses/${responseId}/stream undefined undefined ada `,
  ]);
});

test('answerOf throws Failed or NoAnswer', async () => {
  const event = { type: 'failed', ai_response_id: 'a', code: 'cancelled', detail: '', retryable: true, id: 'a:1' };
  await assert.rejects(answerOf(events(event)), Failed);
  await assert.rejects(answerOf(events()), NoAnswer);
});

test('answerOf throws Ready, with the text, for what only staff may read', async () => {
  const usage = { prompt_tokens: 1, completion_tokens: 1 };
  const event = { type: 'ready', ai_response_id: 'a', content: 'Thank you.', finish_reason: 'stop', usage, id: 'a:1' };
  await assert.rejects(answerOf(events(event)), { name: 'Ready', aiResponseId: 'a', content: 'Thank you.' });
});
