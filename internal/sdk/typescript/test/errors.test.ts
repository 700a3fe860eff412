import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { isProblem, NetworkError, readProblem } from '../src/errors.js';
import { createSupport } from '../src/index.js';
import { mayHelp, pauseAfter } from '../src/retry.js';
import { ticketId } from './server.js';

test('the message of a problem', () => {
  const document = {
    type: '/problems/validation_failed', code: 'validation_failed', status: 422, title: 'Validation failed',
    detail: 'The body breaks a rule.', request_id: '0199d3c6', errors: [{ pointer: '/title', code: 'too_long' }],
  };
  const headers = new Headers({ 'Content-Type': 'application/problem+json; charset=utf-8' });
  const problem = readProblem({ status: 422, headers }, JSON.stringify(document));
  assert.ok(isProblem(problem, 'validation_failed'));
  assert.equal(
    problem.message,
    '422 validation_failed: Validation failed: The body breaks a rule; /title too_long (request 0199d3c6)',
  );
  assert.equal(mayHelp(problem, undefined), false);
});

test('a response of a proxy has a status and no code', () => {
  const problem = readProblem({ status: 502, headers: new Headers({ 'Retry-After': '7' }) }, '<html>');
  assert.equal(problem.code, '');
  assert.equal(mayHelp(problem, undefined), true);
  assert.equal(pauseAfter(problem, 500, 0), 7000);
});

test('a pause doubles up to a limit, plus up to a quarter', () => {
  for (const [n, least] of [[0, 500], [3, 4000], [20, 30_000]] as const) {
    const pause = pauseAfter(undefined, 500, n);
    assert.ok(pause >= least && pause <= least * 1.25, `${pause}`);
  }
});

test('the message of a network error names the request and says why', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await promisify(server.close.bind(server))();
  const baseUrl = `http://127.0.0.1:${port}`;
  const support = createSupport({ baseUrl, retries: 0 });
  const secretive = support.searchTicketsPage({ q: 'a name' });
  await assert.rejects(secretive, { name: 'NetworkError', message: `GET ${baseUrl}/search: fetch failed: connect ECONNREFUSED 127.0.0.1:${port}` });
});

test('in a page of another origin, the message of a network error names the setting', async (t) => {
  const fetch = async () => {
    throw new TypeError('Failed to fetch');
  };
  const request = () => createSupport({ baseUrl: 'https://support.example.com', retries: 0, fetch }).getMe();
  Object.defineProperty(globalThis, 'location', { configurable: true, value: new URL('https://shop.example.com/help') });
  t.after(() => Reflect.deleteProperty(globalThis, 'location'));
  await assert.rejects(request(), (error) => error instanceof NetworkError && error.message.endsWith(
    "Failed to fetch (is https://shop.example.com one of the server's ALLOWED_ORIGINS?)",
  ));
});

test('an error with which a framework interrupts rendering passes through', async () => {
  const interruption = Object.assign(new Error('used no-store fetch'), { digest: 'DYNAMIC_SERVER_USAGE' });
  let requests = 0;
  const fetch = async () => {
    requests++;
    throw interruption;
  };
  const support = createSupport({ baseUrl: 'https://support.example.com', token: 'access-1', fetch });
  await assert.rejects(support.listTicketsPage(), (error) => error === interruption);
  await assert.rejects(support.streamAIResponse(ticketId).next(), (error) => error === interruption);
  await assert.rejects(support.exportUser(ticketId).next(), (error) => error === interruption);
  assert.equal(requests, 3);
});
