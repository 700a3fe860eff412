import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { browserSession, createSupport, isProblem, type Items, type SessionStore, type Support, type Tokens } from '../src/index.js';

/** A server that accepts only the last access token that it issued. */
class Issuer {
  current = 1;
  sent: string[] = [];

  connect(sessionStore: SessionStore): Support {
    return createSupport({ baseUrl: 'https://support.example.com', retries: 0, sessionStore, fetch: this.fetch });
  }

  fetch: typeof fetch = async (url, init) => {
    const headers = new Headers(init?.headers);
    const path = new URL(String(url)).pathname;
    this.sent.push(`${path} ${headers.get('Authorization') ?? '-'}${headers.get('X-On-Behalf-Of') ?? ''}`);
    if (path === '/auth/refresh') {
      this.current++;
      return Response.json({ access_token: `access-${this.current}`, refresh_token: `srt_${this.current}` });
    }
    return headers.get('Authorization') === `Bearer access-${this.current}` ? Response.json({}) : refusal('invalid_token');
  };
}

function refusal(code: string): Response {
  const body = JSON.stringify({ type: `/problems/${code}`, code, status: 401, title: '', detail: '', request_id: '' });
  return new Response(body, { status: 401, headers: { 'Content-Type': 'application/problem+json' } });
}

/** A storage like those of browsers. */
class Storage implements Items {
  #items = new Map<string, string>();

  getItem = (name: string) => this.#items.get(name) ?? null;
  setItem = (name: string, value: string) => void this.#items.set(name, value);
  removeItem = (name: string) => void this.#items.delete(name);
}

const signedIn = (n: number): Tokens => ({ access_token: `access-${n}`, refresh_token: `srt_${n}` });

/** Two tabs with one session. */
async function tabs(issuer: Issuer): Promise<[SessionStore, Support, Support]> {
  const storage = new Storage();
  const session = browserSession('session', storage);
  await session.update(() => signedIn(1));
  return [session, issuer.connect(session), issuer.connect(browserSession('session', storage))];
}

test('a refresh reads the stored tokens first', async () => {
  const issuer = new Issuer();
  const [session, one, other] = await tabs(issuer);
  issuer.current = 2; // The token has expired.
  await one.forCustomer('ada').getMe();
  await other.getMe();
  assert.deepEqual(issuer.sent, [
    '/me Bearer access-1ada', '/auth/refresh -', '/me Bearer access-3ada', '/me Bearer access-3',
  ]);
  assert.equal((await session.load())?.refresh_token, 'srt_3');
});

test('a token that another tab has stored replaces the refused one', async () => {
  const issuer = new Issuer();
  const [session, one] = await tabs(issuer);
  issuer.current = 2;
  const { fetch } = issuer;
  issuer.fetch = async (...request) => {
    await session.update(() => signedIn(2));
    return fetch(...request);
  };
  const support = issuer.connect(session);
  await support.getMe();
  await one.getMe();
  assert.deepEqual(issuer.sent, ['/me Bearer access-1', '/me Bearer access-2', '/me Bearer access-2']);
});

test('a stored token may have expired too', async () => {
  const issuer = new Issuer();
  const [session] = await tabs(issuer);
  issuer.current = 3;
  const { fetch } = issuer;
  let first = true;
  issuer.fetch = async (...request) => {
    if (first) {
      first = false;
      await session.update(() => signedIn(2));
    }
    return fetch(...request);
  };
  await issuer.connect(session).getMe();
  assert.deepEqual(issuer.sent, ['/me Bearer access-1', '/me Bearer access-2', '/auth/refresh -', '/me Bearer access-4']);
});

test('a tab follows when another one logs in or out', async () => {
  const issuer = new Issuer();
  const [session, one, other] = await tabs(issuer);
  await one.getMe();
  issuer.current = 7;
  await session.update(() => signedIn(7));
  await other.getMe();
  await session.update(() => undefined);
  await assert.rejects(other.getMe(), (error) => isProblem(error, 'invalid_token'));
  assert.deepEqual(issuer.sent, ['/me Bearer access-1', '/me Bearer access-7', '/me -']);
});

test('without locks, a tab whose refresh is refused takes the token of another tab', async (t) => {
  setNavigator(t, {}); // Node 24 has locks.
  const issuer = new Issuer();
  const [session] = await tabs(issuer);
  issuer.current = 2;
  const { fetch } = issuer;
  issuer.fetch = async (url, init) => {
    if (!String(url).endsWith('/auth/refresh')) {
      return fetch(url, init);
    }
    await session.update(() => signedIn(2)); // Another tab refreshes first.
    return refusal('token_reuse');
  };
  await issuer.connect(session).getMe();
  assert.deepEqual(issuer.sent, ['/me Bearer access-1', '/me Bearer access-2']);
});

test('a refused refresh throws and changes nothing', async () => {
  const issuer = new Issuer();
  const [session] = await tabs(issuer);
  issuer.current = 2;
  const { fetch } = issuer;
  issuer.fetch = async (url, init) => (String(url).endsWith('/auth/refresh') ? refusal('token_reuse') : fetch(url, init));
  await assert.rejects(issuer.connect(session).getMe(), (error) => isProblem(error, 'token_reuse'));
  assert.deepEqual(await session.load(), signedIn(1));
});

test('a refresh holds the lock of the session', async (t) => {
  const held = mockLocks(t);
  const issuer = new Issuer();
  const [, one] = await tabs(issuer);
  held.length = 0;
  issuer.current = 2;
  await one.getMe();
  assert.deepEqual(held, ['session']);
});

/** Adds a browser's locks to Node, and returns the names of the locks that were taken. */
function mockLocks(t: TestContext): string[] {
  const held: string[] = [];
  const locks = {
    request: async (name: string, work: () => Promise<void>) => {
      held.push(name);
      await work();
    },
  };
  setNavigator(t, { locks });
  return held;
}

/** Replaces the global navigator for the test. */
function setNavigator(t: TestContext, value: object): void {
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  t.after(() => {
    if (before) {
      Object.defineProperty(globalThis, 'navigator', before);
    } else {
      delete (globalThis as { navigator?: unknown }).navigator;
    }
  });
  Object.defineProperty(globalThis, 'navigator', { configurable: true, value });
}

test('an error of the store is thrown, and nothing is sent', async () => {
  const issuer = new Issuer();
  const away = new Error('the database is unreachable');
  const support = issuer.connect({
    load: () => {
      throw away;
    },
    update: async () => undefined,
  });
  await assert.rejects(support.getMe(), (error) => error === away);
  assert.deepEqual(issuer.sent, []);
});

test('an item of another program is ignored', async () => {
  const storage = new Storage();
  for (const item of ['{', '1', 'null', '"x"']) {
    storage.setItem('session', item);
    assert.equal(await browserSession('session', storage).load(), undefined);
  }
});

test('without a storage, as on a server, there is no session', async () => {
  assert.equal(await browserSession().load(), undefined);
});
