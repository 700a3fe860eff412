import { type Client, type Config, createClient as create } from './api/client/index.js';

export * from './api/client/index.js';

const methods = ['connect', 'delete', 'get', 'head', 'options', 'patch', 'post', 'put', 'request', 'trace'] as const;

/** Returns a client for the functions of `@supportbackend/support/api`, as openapi-ts generates it. */
export function createClient(config: Config = {}): Client {
  const client = create(config);
  for (const method of methods) {
    // The generated client passes its options on to Request, with itself as the member client, which Deno refuses.
    const send = client[method] as (options: object) => unknown;
    const sendWithout = ({ client: _, ...options }: { client?: Client }) => send(options);
    Object.assign(client, { [method]: sendWithout });
  }
  return client;
}
