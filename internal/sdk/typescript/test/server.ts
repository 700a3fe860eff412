import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createSupport, type Support, type SupportOptions } from '../src/index.js';

export const ticketId = '0199d3c6-1f2a-7c3e-9b61-5e0f3a7c1d22';
export const responseId = '0199d3c6-4a10-7d0b-8c55-2f9f60d0a4b7';

/** Starts a server for one test, and returns an SDK for it. */
export async function connect(t: TestContext, listener: RequestListener, options: SupportOptions = {}): Promise<Support> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return createSupport({ baseUrl: `http://127.0.0.1:${port}`, token: 'access-1', retries: 0, ...options });
}

export function json(response: ServerResponse, status: number, body: unknown): void {
  const type = status < 400 ? 'application/json' : 'application/problem+json';
  response.writeHead(status, { 'Content-Type': type }).end(JSON.stringify(body));
}

export function problem(response: ServerResponse, status: number, code: string): void {
  json(response, status, { type: `/problems/${code}`, code, status, title: code, detail: '', request_id: '' });
}

export function openStream(response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  response.write('retry: 1\n\n');
}

export function delta(seq: number, content = `${seq} `): string {
  return `id: ${responseId}:${seq}\ndata: ${JSON.stringify({ type: 'delta', content })}\n\n`;
}

export function failed(seq: number): string {
  const data = { type: 'failed', ai_response_id: responseId, code: 'cancelled', detail: '', retryable: true };
  return `id: ${responseId}:${seq}\nevent: failed\ndata: ${JSON.stringify(data)}\n\n`;
}

export async function body(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) {
    text += chunk;
  }
  return text;
}

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

const registry = new FinalizationRegistry<() => void>((collected) => collected());

/** Ways to collect garbage. Each lets the event loop run, so that finalizers are called. */
export const collections: Record<string, () => Promise<void>> = {
  async forced() {
    for (let i = 0; i < 5; i++) {
      collect();
      await new Promise((resolve) => setImmediate(resolve));
    }
  },
  /** Those who ask before a collection begins share it. */
  natural: () =>
    (next ??= running.then(() => {
      next = undefined;
      running = collectNaturally();
      return running;
    })),
};

let next: Promise<void> | undefined;
let running = Promise.resolve();

async function collectNaturally(): Promise<void> {
  let collected = false;
  registry.register({}, () => (collected = true));
  // Objects that live for a while and then die fill the old generation. Only its collection shows the fault.
  const held: object[] = [];
  for (let i = 0; !collected; i++) {
    held[i % 20] = Array.from({ length: 50_000 }, () => ({ i }));
    await new Promise((resolve) => setImmediate(resolve));
  }
}
