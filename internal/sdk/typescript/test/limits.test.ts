import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { RequestListener, ServerResponse } from 'node:http';
import { describe, test } from 'node:test';
import { NetworkError } from '../src/errors.js';
import type { Support } from '../src/index.js';
import { collections, connect, delta, failed, json, openStream, problem, ticketId } from './server.js';

/** Stalls the response: sends nothing, only the headers, or half of the body. */
const stalled: Record<string, (response: ServerResponse, events: boolean) => void> = {
  nothing: () => undefined,
  headers: (response, events) => {
    response.writeHead(200, { 'Content-Type': events ? 'text/event-stream' : 'application/json' });
    response.flushHeaders();
  },
  half: (response, events) => {
    response.writeHead(200, { 'Content-Type': events ? 'text/event-stream' : 'application/json' });
    response.write(events ? 'id: a:1\ndata: {"type":' : '{"id":');
  },
};

const calls: Record<string, (support: Support, signal: AbortSignal) => Promise<unknown>> = {
  call: (support, signal) => support.getMe({ signal }),
  stream: (support, signal) => support.streamAIResponse(ticketId, { signal }).next(),
};

/** Ways to make a caller's signal, and to abort it. */
const signals: Record<string, (timeout: number) => [AbortSignal, () => void]> = {
  controller: () => {
    const controller = new AbortController();
    return [controller.signal, () => controller.abort(new Error('enough'))];
  },
  any: () => {
    const controller = new AbortController();
    return [AbortSignal.any([controller.signal, AbortSignal.timeout(60_000)]), () => controller.abort(new Error('enough'))];
  },
  timeout: (timeout) => [AbortSignal.timeout(timeout), () => undefined],
};

for (const [collection, collect] of Object.entries(collections)) {
  // They run at a time, so that one natural collection serves all of them.
  describe(`aborts, after a ${collection} collection`, { concurrency: true }, () => {
    for (const [kind, make] of Object.entries(signals)) {
      if (collection === 'natural' && kind !== 'controller') {
        continue; // A natural collection takes long.
      }
      for (const [how, hold] of Object.entries(stalled)) {
        for (const [name, call] of Object.entries(calls)) {
          test(`${kind} aborts a ${name} with ${how} sent, after a ${collection} collection`, async (t) => {
            let closed: Promise<unknown> | undefined;
            let came: () => void = () => undefined;
            const arrived = new Promise<void>((resolve) => (came = resolve));
            const support = await connect(t, (_, response) => {
              closed = once(response, 'close');
              hold(response, name === 'stream');
              came();
            });
            // The timeout may pass before the request arrives. A longer one follows then.
            for (let timeout = 500; closed === undefined; timeout *= 2) {
              const [signal, abort] = make(timeout);
              const result = assert.rejects(call(support, signal), (error) => error === signal.reason);
              await Promise.race([arrived, result]);
              await collect();
              abort();
              await result;
            }
            await closed; // The server's connection closes too.
          });
        }
      }
    }
  });

  test(`an abort ends a stream immediately, after a ${collection} collection`, async (t) => {
    const support = await connect(t, (_, response) => {
      openStream(response);
      for (let seq = 1; seq <= 500; seq++) {
        response.write(delta(seq));
      }
    });
    const controller = new AbortController();
    const { signal } = controller;
    let events = 0;
    await assert.rejects(async () => {
      for await (const _ of support.streamAIResponse(ticketId, { signal })) {
        if (++events === 3) {
          await collect();
          controller.abort(new Error('enough'));
        }
      }
    }, /enough/);
    assert.equal(events, 3);
  });

  test(`a silent stream is resumed, after a ${collection} collection`, async (t) => {
    let requests = 0;
    let resumed: string | string[] | undefined;
    const support = await connect(t, (request, response) => {
      openStream(response);
      if (++requests === 1) {
        response.write(delta(1));
      } else {
        resumed = request.headers['last-event-id'];
        response.end(failed(2));
      }
    });
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const events = support.streamAIResponse(ticketId);
    assert.equal((await events.next()).value?.type, 'delta');
    const next = events.next();
    await collect();
    await tickUntil(t.mock.timers, 45_000, () => requests === 2);
    assert.equal((await next).value?.type, 'failed');
    assert.match(String(resumed), /:1$/);
  });

  test(`a call times out, after a ${collection} collection`, async (t) => {
    let came: () => void = () => undefined;
    const arrived = new Promise<void>((resolve) => (came = resolve));
    const support = await connect(t, () => came());
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const result = assert.rejects(support.getMe(), NetworkError);
    await arrived;
    await collect();
    t.mock.timers.tick(60_000);
    await result;
  });

  test(`a refresh without a response does not block other calls, after a ${collection} collection`, async (t) => {
    let refreshes = 0;
    const support = await connect(
      t,
      (request, response) => {
        if (request.url === '/auth/refresh') {
          refreshes++; // The server never answers it.
        } else {
          problem(response, 401, 'invalid_token');
        }
      },
      { refreshToken: 'srt_1' },
    );
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const result = assert.rejects(support.getMe(), NetworkError);
    const controller = new AbortController();
    const aborted = assert.rejects(support.getMe({ signal: controller.signal }), /enough/);
    await turnUntil(() => refreshes === 1);
    await collect();
    controller.abort(new Error('enough'));
    await aborted;
    t.mock.timers.tick(10_000);
    await result;
    assert.equal(refreshes, 1);
  });
}

test('the time that a caller takes over an event does not count as silence', async (t) => {
  let requests = 0;
  const support = await connect(t, (_, response) => {
    requests++;
    openStream(response);
    response.write(delta(1));
    response.end(failed(2));
  });
  t.mock.timers.enable({ apis: ['setTimeout'] });
  for await (const _ of support.streamAIResponse(ticketId)) {
    t.mock.timers.tick(600_000);
  }
  assert.equal(requests, 1);
});

test('leaving a stream disconnects while it waits', async (t) => {
  let response: ServerResponse | undefined;
  const support = await connect(t, (_, opened) => {
    response = opened;
    openStream(response);
    response.write(delta(1));
  });
  const events = support.streamAIResponse(ticketId);
  await events.next();
  const waiting = events.next();
  const closed = once(response!, 'close');
  await events.return();
  assert.deepEqual(await waiting, { done: true, value: undefined });
  await closed;
});

test('many calls can share one signal', async (t) => {
  const warnings: Error[] = [];
  const warn = (warning: Error) => warnings.push(warning);
  process.on('warning', warn);
  t.after(() => process.off('warning', warn));
  const answer: RequestListener = (_, response) => json(response, 200, { id: '1' });
  const support = await connect(t, answer);
  const signal = AbortSignal.any([new AbortController().signal, AbortSignal.timeout(60_000)]);
  await Promise.all(Array.from({ length: 40 }, () => support.getMe({ signal })));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(warnings, []);
});

/** Advances the mocked clock and lets the event loop run until something has happened. */
async function tickUntil(timers: { tick(ms: number): void }, ms: number, happened: () => boolean): Promise<void> {
  timers.tick(ms);
  await turnUntil(() => {
    timers.tick(10); // Covers the pause before the stream is resumed.
    return happened();
  });
}

async function turnUntil(happened: () => boolean): Promise<void> {
  while (!happened()) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}
