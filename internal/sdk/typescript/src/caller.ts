import { type Client, createClient, createConfig } from './api/client/index.js';
import { refreshSession } from './api/sdk.gen.js';
import type { AccessToken, AIResponseEvent } from './api/types.gen.js';
import { Credentials } from './credentials.js';
import { isProblem, NetworkError, NotModified, Problem, ProtocolError, readProblem } from './errors.js';
import { type Page, readPage } from './pages.js';
import { Deadline, defaultRetries, Final, retry } from './retry.js';
import { StreamReader } from './stream.js';
import { version } from './version.js';

/** Bounds one attempt of a request that is no stream, in milliseconds. */
const attemptTimeout = 60_000;

/** How to set an SDK up. */
export interface SupportOptions {
  /** Where the server is, such as `https://support.example.com`; may have a path. In Node, the default is SUPPORT_BASE_URL. */
  baseUrl?: string;
  /** The access token. In Node, the default is SUPPORT_TOKEN. */
  token?: string;
  /** Lets an access token that has ended be replaced. A refresh token is for one use: keepTokens gets the next one. */
  refreshToken?: string;
  /** Is called with each pair of tokens before they are used. */
  keepTokens?: (next: AccessToken) => void | Promise<void>;
  /** How often a request is sent again; 2 by default, 0 is never. */
  retries?: number;
  /** Headers of every request. */
  headers?: Record<string, string>;
  /** What to send requests with, in place of the global fetch. */
  fetch?: typeof fetch;
}

/** What one call has beyond the operation's own arguments. */
export interface CallOptions {
  /** Bounds the call with all its retries. */
  signal?: AbortSignal;
  /** Headers of the request. */
  headers?: Record<string, string>;
  /**
   * The key, in place of a made-up one. With a key that is stored before the request is sent, the request may also be repeated
   * by another process.
   */
  idempotencyKey?: string;
  /** Makes the request depend on the version of what it changes: it is a Problem with the status 412 if that is another. */
  ifMatch?: string;
  /** Makes the call throw NotModified if what is asked for still has that version. */
  ifNoneMatch?: string;
  /** Is called with the headers of the response, which has the ETag. */
  responseHeaders?: (headers: Headers) => void;
}

/** What the contract says about sending an operation. */
export interface Operation {
  /** It takes no token. */
  public?: boolean;
  /** An Idempotency-Key has an effect. */
  takesKey?: boolean;
  /** Repeating it does no harm and gives the same answer. */
  repeatable?: boolean;
}

/** What one request is sent with. */
export interface Attempt {
  client: Client;
  headers: Record<string, string>;
  signal: AbortSignal;
  throwOnError: true;
  fetch: typeof fetch;
}

/** The result of the generated client. Its data is parsed here. */
export interface Sent<T> {
  data?: T;
  response: Response;
}

/** What of Node is used where there is one. */
const { process } = globalThis as {
  process?: { env?: Record<string, string | undefined>; versions?: { node?: string } };
};

/** Sends requests: again where that may help, and with a token that is fresh. */
export class Caller {
  readonly #client: Client;
  readonly #credentials: Credentials;
  readonly #retries: number;
  readonly #headers: Record<string, string>;
  readonly #fetch: typeof fetch | undefined;

  constructor(options: SupportOptions) {
    const baseUrl = readBaseURL(options.baseUrl ?? process?.env?.['SUPPORT_BASE_URL'] ?? '');
    this.#retries = options.retries ?? defaultRetries;
    if (!Number.isInteger(this.#retries) || this.#retries < 0) {
      throw new RangeError(`${this.#retries} retries`);
    }
    // Browsers name themselves.
    this.#headers = { ...(process?.versions?.node && { 'User-Agent': `support-typescript/${version}` }), ...options.headers };
    this.#fetch = options.fetch;
    // A browser's cache keeps nothing of this anyway, and lets requests for the same URL wait for each other.
    this.#client = createClient(createConfig({ baseUrl, redirect: 'manual', cache: 'no-store' }));
    this.#credentials = new Credentials(
      options.token ?? process?.env?.['SUPPORT_TOKEN'] ?? '',
      options.refreshToken ?? '',
      options.keepTokens,
      (refreshToken) =>
        this.call<AccessToken>({ public: true, repeatable: true }, {}, (attempt) =>
          refreshSession({ ...attempt, parseAs: 'text', body: { refresh_token: refreshToken } }),
        ),
    );
  }

  /** Calls an operation whose response is JSON. */
  async call<T>(operation: Operation, options: CallOptions, send: (attempt: Attempt) => Promise<Sent<T>>): Promise<T> {
    const { body } = await this.#send(operation, options, send);
    return parse<T>(body);
  }

  /** Calls an operation whose response is one page of a list. */
  async callPage<T>(
    operation: Operation,
    options: CallOptions,
    send: (attempt: Attempt) => Promise<Sent<T[]>>,
  ): Promise<Page<T>> {
    const { body, headers } = await this.#send(operation, options, send);
    return readPage(parse<T[]>(body), headers);
  }

  /** Calls an operation whose response has no body. */
  async run(operation: Operation, options: CallOptions, send: (attempt: Attempt) => Promise<Sent<unknown>>): Promise<void> {
    await this.#send(operation, options, send);
  }

  /** Reads the events of a stream. */
  stream(
    operation: Operation,
    options: CallOptions,
    send: (attempt: Attempt) => Promise<Sent<unknown>>,
  ): AsyncGenerator<AIResponseEvent, void, undefined> {
    const open = (headers: Headers, signal: AbortSignal) => this.#attempt(operation, headers, signal, send);
    return new StreamReader(this.#retries, options.signal, this.#requestHeaders(operation, options), open).events();
  }

  async #send(
    operation: Operation,
    options: CallOptions,
    send: (attempt: Attempt) => Promise<Sent<unknown>>,
  ): Promise<{ body: string; headers: Headers }> {
    const headers = this.#requestHeaders(operation, options);
    const sent = await retry(operation.repeatable ? this.#retries : 0, options.signal, async () => {
      const deadline = new Deadline(attemptTimeout, options.signal);
      try {
        return await this.#attempt(operation, headers, deadline.signal, send);
      } finally {
        deadline.end();
      }
    });
    options.responseHeaders?.(sent.response.headers);
    // The generated client takes an empty body for an object, so it is asked for text.
    return { body: String(sent.data), headers: sent.response.headers };
  }

  /** All the headers but the token. */
  #requestHeaders(operation: Operation, options: CallOptions): Headers {
    const headers = new Headers({ Accept: 'application/json, application/problem+json', ...this.#headers });
    const own = {
      'Idempotency-Key': options.idempotencyKey,
      'If-Match': options.ifMatch,
      'If-None-Match': options.ifNoneMatch,
      ...options.headers,
    };
    for (const [name, value] of Object.entries(own)) {
      if (value !== undefined) {
        headers.set(name, value);
      }
    }
    if (operation.takesKey && !headers.has('Idempotency-Key')) {
      headers.set('Idempotency-Key', randomUUID());
    }
    return headers;
  }

  /** Sends a request and reads the response; the error is one of this SDK's. */
  async #attempt<T>(
    operation: Operation,
    headers: Headers,
    signal: AbortSignal,
    send: (attempt: Attempt) => Promise<Sent<T>>,
  ): Promise<Sent<T>> {
    try {
      return await send({
        client: this.#client,
        headers: Object.fromEntries(headers),
        signal,
        throwOnError: true,
        fetch: (request) => this.#exchange(operation, request as Request),
      });
    } catch (error) {
      const known = [Problem, ProtocolError, NotModified, Final].some((type) => error instanceof type);
      throw known ? error : new NetworkError(error instanceof Error ? error.message : String(error), { cause: error });
    }
  }

  /** Sends the request once, or twice when the token had to be refreshed in between. The response is a success. */
  async #exchange(operation: Operation, request: Request): Promise<Response> {
    const own = operation.public || request.headers.has('Authorization');
    const token = own ? '' : await this.#credentials.token(request.signal);
    try {
      return await this.#roundTrip(request, token);
    } catch (error) {
      if (own || !isProblem(error, 'invalid_token') || !this.#credentials.renewable) {
        throw error;
      }
    }
    return this.#roundTrip(request, await this.#credentials.renew(token, request.signal));
  }

  async #roundTrip(request: Request, token: string): Promise<Response> {
    const sent = request.clone();
    if (token !== '') {
      sent.headers.set('Authorization', `Bearer ${token}`);
    }
    const response = await (this.#fetch ?? globalThis.fetch)(sent);
    if (response.ok) {
      return response;
    }
    if (response.type === 'opaqueredirect') {
      throw new ProtocolError('a redirect');
    }
    if (response.status === 304) {
      throw new NotModified();
    }
    throw await readProblem(response);
  }
}

function readBaseURL(text: string): string {
  if (text === '') {
    throw new TypeError('no base URL: set baseUrl or, in Node, SUPPORT_BASE_URL');
  }
  // In a browser, it may be relative to the page.
  const page = (globalThis as { location?: { href: string } }).location?.href;
  const url = URL.canParse(text, page) ? new URL(text, page) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search) {
    throw new TypeError('the base URL is not of the form https://host/path');
  }
  return url.origin + url.pathname.replace(/\/$/, '');
}

function parse<T>(body: string): T {
  let value: T | null;
  try {
    value = JSON.parse(body);
  } catch (cause) {
    throw new ProtocolError('a body that is no JSON', { cause });
  }
  if (value === null) {
    throw new ProtocolError('the body is null');
  }
  return value;
}

/** A UUID of version 4 (RFC 9562). crypto.randomUUID is only there in pages that came by HTTPS. */
function randomUUID(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
