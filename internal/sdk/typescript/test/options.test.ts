import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSupport, NetworkError, type StreamEvent, type Support, type SupportOptions } from '../src/index.js';
import { ticketId } from './server.js';

const baseUrl = 'https://support.example.com';

/** Returns an SDK whose server is unreachable, and the headers of its requests. */
function offline(options: SupportOptions = {}): [Support, Headers[]] {
  const sent: Headers[] = [];
  const support = createSupport({
    baseUrl,
    token: 'access-1',
    retries: 0,
    fetch: async (_, init) => {
      sent.push(new Headers(init?.headers));
      throw new TypeError('the server is unreachable');
    },
    ...options,
  });
  return [support, sent];
}

const notOperations = ['constructor', 'forCustomer', 'askAI'];

/** Calls every operation, and returns how many there are. */
async function callEverything(support: Support, options: object): Promise<number> {
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(support)).filter((name) => !notOperations.includes(name));
  for (const name of names) {
    const method = (support as unknown as Record<string, (...args: unknown[]) => unknown>)[name]!;
    // A function's length counts the arguments before the first default.
    const result = method.call(support, ...Array(method.length).fill('x'), ...(/params = {}/.test(String(method)) ? [{}] : []), options);
    await assert.rejects(Promise.resolve(isIterator(result) ? result.next() : result), NetworkError, name);
  }
  assert.ok(names.length > 30);
  return names.length;
}

function isIterator(value: unknown): value is AsyncGenerator<StreamEvent> {
  return Symbol.asyncIterator in (value as object);
}

const onBehalfOf = 'X-On-Behalf-Of';

test('every operation acts for the customer', async () => {
  const [service, sent] = offline({ headers: { [onBehalfOf.toLowerCase()]: 'eve' } });
  for (const [support, options, want] of [
    [service.forCustomer('ada'), {}, 'ada'],
    [service.forCustomer('bob').forCustomer('ada'), {}, 'ada'],
    [service.forCustomer('bob'), { headers: { [onBehalfOf]: 'ada' } }, 'ada'],
    [service, {}, 'eve'],
  ] as const) {
    sent.length = 0;
    const calls = await callEverything(support, options);
    assert.deepEqual(sent.map((headers) => headers.get(onBehalfOf)), Array(calls).fill(want));
  }
});

test('forCustomer refuses ids that cannot be sent', () => {
  const [service] = offline();
  for (const id of ['', ' ', ' ada', 'ada\n', 'a da', 'adä']) {
    assert.throws(() => service.forCustomer(id), /is not the id of a customer/);
  }
});

for (const [name, options] of Object.entries({
  accept: { headers: { Accept: 'mine' } },
  authorization: { headers: { Authorization: 'mine' } },
  'idempotency-key': { idempotencyKey: 'mine' },
  'if-match': { ifMatch: 'mine' },
  'if-none-match': { ifNoneMatch: 'mine' },
  'last-event-id': { lastEventId: 'mine' },
  'user-agent': { headers: { 'User-Agent': 'mine' } },
  [onBehalfOf]: { headers: { [onBehalfOf]: 'mine' } },
})) {
  test(`the ${name} of a call takes precedence over that of the SDK`, async () => {
    const [support, sent] = offline({ headers: { [name]: "the SDK's" } });
    await assert.rejects(support.forCustomer('ada').createTicket({ title: 'x', description: 'x' }, options), NetworkError);
    await assert.rejects(support.streamAIResponse(ticketId, options).next(), NetworkError);
    assert.equal(sent[0]!.get(name), 'mine');
    if (name !== 'accept') {
      assert.equal(sent[1]!.get(name), 'mine');
    }
  });
}

test('headers of the options replace the defaults', async () => {
  const [support, sent] = offline({ headers: { 'user-agent': 'mine', accept: 'mine' } });
  await assert.rejects(support.getMe(), NetworkError);
  assert.equal(sent[0]!.get('User-Agent'), 'mine');
  assert.equal(sent[0]!.get('Accept'), 'mine');
});

test('the environment is read only without a base URL', (t) => {
  const { env } = process;
  t.after(() => (process.env = env));
  process.env = new Proxy({}, {
    get: () => {
      throw new Error('no permission');
    },
  });
  createSupport({ baseUrl });
  assert.throws(() => createSupport(), /no permission/);
});

test('fetch receives only standard options', async () => {
  let members: string[] = [];
  const support = createSupport({
    baseUrl,
    fetch: async (_, init) => {
      members = Object.keys(init ?? {});
      return Response.json({});
    },
  });
  await support.createTicket({ title: 'x', description: 'x' });
  assert.deepEqual(members.sort(), ['body', 'cache', 'headers', 'method', 'redirect', 'signal']);
});

for (const [name, options, requests] of [
  ['the global fetch', {}, 0],
  ['a fetch of the caller', { fetch: async () => ({ ok: true, status: 200, headers: new Headers(), body: undefined }) }, 1],
] as const) {
  test(`a stream throws immediately when ${name} does not stream`, async (t) => {
    const { fetch } = globalThis;
    const body = Object.getOwnPropertyDescriptor(Response.prototype, 'body')!;
    t.after(() => {
      globalThis.fetch = fetch;
      Object.defineProperty(Response.prototype, 'body', body);
    });
    let sent = 0;
    // As in React Native.
    Reflect.deleteProperty(Response.prototype, 'body');
    globalThis.fetch = () => assert.fail('a request was sent');
    const given = 'fetch' in options ? ((async () => (sent++, options.fetch())) as unknown as typeof fetch) : undefined;
    const support = createSupport({ baseUrl, fetch: given });
    await assert.rejects(support.streamAIResponse(ticketId).next(), /^TypeError: this fetch does not stream bodies/);
    assert.equal(sent, requests);
  });
}

test('calls do not need streaming bodies', async () => {
  const response = { ok: true, status: 200, headers: new Headers(), text: async () => '{"id":"1"}' };
  const support = createSupport({ baseUrl, fetch: (async () => response) as unknown as typeof fetch });
  assert.equal((await support.getMe()).id, '1');
});

test('fetch may not use its cache, where it has one', async (t) => {
  const caches: unknown[] = [];
  const fetch = async (_: string, init: RequestInit) => {
    caches.push(init.cache);
    return new Response(null, { status: 204 });
  };
  const support = createSupport({ baseUrl, token: 'access-1', fetch });
  await support.deleteTeam(ticketId);
  // Those of React Native and of early Workers do not have it.
  const { Request } = globalThis;
  Object.defineProperty(globalThis, 'Request', { configurable: true, writable: true, value: class {} });
  t.after(() => Object.defineProperty(globalThis, 'Request', { configurable: true, writable: true, value: Request }));
  await support.deleteTeam(ticketId);
  Object.defineProperty(globalThis, 'Request', { configurable: true, writable: true, value: undefined });
  await support.deleteTeam(ticketId);
  assert.deepEqual(caches, ['no-store', undefined, undefined]);
});

test('an SDK needs no URL.canParse, which React Native lacks', (t) => {
  const { canParse } = URL;
  t.after(() => Object.assign(URL, { canParse }));
  Object.assign(URL, { canParse: undefined });
  assert.ok(createSupport({ baseUrl, fetch: async () => new Response() }));
  assert.throws(() => createSupport({ baseUrl: 'support' }), /the base URL must have the form/);
});
