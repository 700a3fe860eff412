import type { AccessToken } from './api/types.gen.js';
import { readText } from './body.js';
import { Credentials } from './credentials.js';
import { Deadline } from './deadline.js';
import { isProblem, NetworkError, NotModified, Problem, ProtocolError, readProblem } from './errors.js';
import { type Line, mediaTypeLines, readLines } from './lines.js';
import { type CallOptions, readOptions, setHeaders, type Setup, type SupportOptions } from './options.js';
import { type Page, readPage } from './pages.js';
import { type Arguments, type Operation, readTarget, type Target } from './request.js';
import { Final, retry } from './retry.js';
import { type StreamEvent, StreamReader } from './stream.js';

/** The timeout of one attempt of a request that does not stream, in milliseconds. */
const attemptTimeout = 60_000;
/** The timeout of one attempt to refresh the access token, in milliseconds. Other calls wait for it. */
const refreshTimeout = 10_000;
/**
 * How often a request is sent when its access token has expired: with the old token, with the stored one, and with a fresh
 * one.
 */
const maxTokens = 3;

/** The header that names the customer for whom a request acts. */
const onBehalfOf = 'X-On-Behalf-Of';

const refreshSession: Operation = { method: 'POST', path: '/auth/refresh', public: true, repeatable: true };

/** Sends requests, retries them, and replaces expired access tokens. */
export class Caller {
  private constructor(
    private readonly setup: Setup,
    private readonly credentials: Credentials | undefined,
    private readonly customer: string | undefined,
  ) {}

  static with(options: SupportOptions): Caller {
    const setup = readOptions(options);
    const anonymous = new Caller(setup, undefined, undefined);
    const credentials = new Credentials(setup.sessionStore, async (refreshToken) => {
      const args = { body: { refresh_token: refreshToken } };
      const { body } = await anonymous.#send(refreshSession, args, {}, refreshTimeout);
      return parse<AccessToken>(body);
    });
    return new Caller(setup, credentials, undefined);
  }

  /** Returns a caller that acts for the customer, with the same tokens. */
  forCustomer(id: string): Caller {
    // A proxy might drop an empty header, and white space around a value is not sent: the request would act for somebody
    // else.
    if (!/^[!-~]+$/.test(id)) {
      throw new TypeError(`${JSON.stringify(id)} is not the id of a customer`);
    }
    return new Caller(this.setup, this.credentials, id);
  }

  /** Calls an operation whose response is JSON. */
  async call<T>(operation: Operation, args: Arguments, options: CallOptions): Promise<T> {
    const { body } = await this.#send(operation, args, options);
    return parse<T>(body);
  }

  /** Calls an operation whose response is one page of a list. */
  async callPage<T>(operation: Operation, args: Arguments, options: CallOptions): Promise<Page<T>> {
    const { body, headers } = await this.#send(operation, args, options);
    return readPage(parse<T[]>(body), headers);
  }

  /** Calls an operation whose response has no body. */
  async run(operation: Operation, args: Arguments, options: CallOptions): Promise<void> {
    await this.#send(operation, args, options);
  }

  /** Reads the events of a stream. */
  stream(operation: Operation, args: Arguments, options: CallOptions): AsyncGenerator<StreamEvent, void, undefined> {
    const target = readTarget(this.setup.baseUrl, operation, args);
    const headers = this.#headers(operation, target, options);
    headers.set('Accept', 'text/event-stream');
    return new StreamReader({
      retries: this.setup.retries,
      signal: options.signal,
      lastEventId: headers.get('Last-Event-ID') ?? '',
      usesGlobalFetch: this.setup.fetch === undefined,
      open: (lastEventId, deadline) => {
        if (lastEventId !== '') {
          headers.set('Last-Event-ID', lastEventId);
        }
        return attempt(target, () => this.#exchange(operation, target, headers, deadline));
      },
    }).events();
  }

  /** Reads a response of one JSON object per line, up to the line of type end. */
  lines<T extends Line>(operation: Operation, args: Arguments, options: CallOptions): AsyncGenerator<T, void, undefined> {
    const target = readTarget(this.setup.baseUrl, operation, args);
    const headers = this.#headers(operation, target, options);
    headers.set('Accept', mediaTypeLines);
    return readLines<T>({
      retries: this.setup.retries,
      signal: options.signal,
      usesGlobalFetch: this.setup.fetch === undefined,
      open: async (deadline) => {
        const response = await attempt(target, () => this.#exchange(operation, target, headers, deadline));
        options.responseHeaders?.(response.headers);
        return response;
      },
    });
  }

  async #send(
    operation: Operation,
    args: Arguments,
    options: CallOptions,
    timeout = attemptTimeout,
  ): Promise<{ body: string; headers: Headers }> {
    const target = readTarget(this.setup.baseUrl, operation, args);
    const headers = this.#headers(operation, target, options);
    const sent = await retry(operation.repeatable ? this.setup.retries : 0, options.signal, async () => {
      const deadline = new Deadline(timeout, options.signal);
      try {
        return await attempt(target, async () => {
          const response = await this.#exchange(operation, target, headers, deadline);
          return { body: await readText(response, deadline), headers: response.headers };
        });
      } finally {
        deadline.end();
      }
    });
    options.responseHeaders?.(sent.headers);
    return sent;
  }

  /** All headers except the token. Those of the call come last, so that they take precedence. */
  #headers(operation: Operation, target: Target, options: CallOptions): Headers {
    const headers = new Headers(this.setup.headers);
    setHeaders(headers, {
      'Content-Type': target.body === undefined ? undefined : 'application/json',
      [onBehalfOf]: this.customer,
      'Idempotency-Key': options.idempotencyKey,
      'If-Match': options.ifMatch,
      'If-None-Match': options.ifNoneMatch,
      'Last-Event-ID': options.lastEventId || undefined,
      ...options.headers,
    });
    if (operation.takesKey && !headers.has('Idempotency-Key')) {
      headers.set('Idempotency-Key', randomUUID());
    }
    return headers;
  }

  /**
   * Sends the request, and sends it again when the server refuses the access token. The response is a success; its body is
   * unread.
   */
  async #exchange(operation: Operation, target: Target, headers: Headers, deadline: Deadline): Promise<Response> {
    const { credentials } = this;
    if (operation.public || headers.has('Authorization') || !credentials) {
      return this.#roundTrip(target, headers, deadline);
    }
    let { token, fresh } = await deadline.race(credentials.token());
    for (let sent = 1; ; sent++) {
      const own = new Headers(headers);
      if (token !== '') {
        own.set('Authorization', `Bearer ${token}`);
      }
      try {
        return await this.#roundTrip(target, own, deadline);
      } catch (error) {
        if (fresh || sent === maxTokens || !isProblem(error, 'invalid_token')) {
          throw error;
        }
        ({ token, fresh } = await deadline.race(credentials.renew(token)));
        if (token === '') {
          throw error;
        }
      }
    }
  }

  async #roundTrip({ url, method, body }: Target, headers: Headers, deadline: Deadline): Promise<Response> {
    const { signal } = deadline;
    signal.throwIfAborted();
    const { fetch = globalThis.fetch } = this.setup;
    const init: RequestInit = {
      method,
      headers,
      signal,
      redirect: 'manual',
      ...(hasCache() && { cache: 'no-store' }),
      ...(body !== undefined && { body }),
    };
    const pending = fetch(url, init);
    let response: Response;
    try {
      response = await deadline.race(pending);
    } catch (error) {
      pending.then((late) => late.body?.cancel()).catch(() => undefined);
      throw isInterruption(error) ? new Final(error) : error;
    }
    if (response.ok) {
      return response;
    }
    if (response.type === 'opaqueredirect') {
      throw new ProtocolError('the response is a redirect');
    }
    if (response.status === 304) {
      throw new NotModified();
    }
    throw readProblem(response, await readText(response, deadline).catch(() => ''));
  }
}

/**
 * Whether fetch has a cache, which it must not use: the responses cannot be cached, and a browser's cache would make requests
 * for the same URL wait for each other. Elsewhere the option harms: React Native adds a query parameter to the URL, and
 * Workers with an early compatibility date throw.
 */
function hasCache(): boolean {
  const { Request } = globalThis as { Request?: typeof globalThis.Request }; // jsdom has none.
  return Request !== undefined && 'cache' in Request.prototype;
}

/**
 * Whether a framework interrupts the program with this error. The fetch of Next.js rejects so to say that a page cannot be
 * rendered in advance, and Next.js expects the same error from the page.
 */
function isInterruption(error: unknown): boolean {
  return error instanceof Error && 'digest' in error;
}

/** Makes one attempt of a request. It throws only errors of this SDK. */
async function attempt<T>({ method, url }: Target, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const known = [Problem, ProtocolError, NotModified, Final].some((type) => error instanceof type);
    throw known ? error : NetworkError.of(method, url, error);
  }
}

function parse<T>(body: string): T {
  let value: T | null;
  try {
    value = JSON.parse(body);
  } catch (cause) {
    throw new ProtocolError('the body is not JSON', { cause });
  }
  if (value === null) {
    throw new ProtocolError('the body is null');
  }
  return value;
}

/** A version 4 UUID (RFC 9562). Browsers offer crypto.randomUUID only on pages loaded over HTTPS. */
function randomUUID(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
