import type { AccessToken } from './api/types.gen.js';
import { MemorySession, type SessionStore } from './session.js';
import { version } from './version.js';

const defaultRetries = 2;

/** How to set an SDK up. The options of a call beat these. */
export interface SupportOptions {
  /**
   * Where the server is, such as `https://support.example.com`; may have a path. Without it, SUPPORT_BASE_URL and SUPPORT_TOKEN
   * are read from the environment of Node, Deno or Bun, and otherwise the environment is not looked at.
   */
  baseUrl?: string | undefined;
  /** The access token or the API key. */
  token?: string | undefined;
  /** Lets an access token that has ended be replaced. A refresh token is for one use: keepTokens gets the next one. */
  refreshToken?: string | undefined;
  /** Is called with each pair of tokens before they are used. */
  keepTokens?: ((next: AccessToken) => void | Promise<void>) | undefined;
  /** Keeps the tokens, in place of the three options above, where tabs or processes share a session. */
  sessionStore?: SessionStore | undefined;
  /** How often a request is sent again; 2 by default, 0 is never. */
  retries?: number | undefined;
  /** Headers of every request that does not set them itself. */
  headers?: Record<string, string | undefined> | undefined;
  /** What to send requests with, in place of the global fetch. */
  fetch?: typeof fetch | undefined;
}

/** What is for one call. It beats the options of the SDK. */
export interface CallOptions {
  /** Bounds the call with all its retries. */
  signal?: AbortSignal | undefined;
  /** Headers of the request. */
  headers?: Record<string, string | undefined> | undefined;
  /**
   * The key, in place of a made-up one. With a key that is stored before the request is sent, the request may also be repeated
   * by another process.
   */
  idempotencyKey?: string | undefined;
  /** Makes the request depend on the version of what it changes: it is a Problem with the status 412 if that is another. */
  ifMatch?: string | undefined;
  /** Makes the call throw NotModified if what is asked for still has that version. */
  ifNoneMatch?: string | undefined;
  /**
   * Begins a stream after the event that has this id, which may be one that a browser sent as Last-Event-ID. Without one, it
   * begins at the start.
   */
  lastEventId?: string | null | undefined;
  /** Is called with the headers of the response, which has the ETag. */
  responseHeaders?: ((headers: Headers) => void) | undefined;
}

/** The options without what is for a question alone, and not for the stream of its answer. */
export function withoutConditions({ idempotencyKey, ifMatch, headers, ...options }: CallOptions): CallOptions {
  const own = Object.entries(headers ?? {}).filter(([name]) => !/^(idempotency-key|if-match)$/i.test(name));
  return { ...options, headers: Object.fromEntries(own) };
}

/** Lets what is optional be undefined, too. */
export type Optional<T> = { [K in keyof T]: {} extends Pick<T, K> ? T[K] | undefined : T[K] };

/** What the options say. */
export interface Setup {
  baseUrl: string;
  retries: number;
  headers: Headers;
  fetch: typeof fetch | undefined;
  sessionStore: SessionStore;
}

/** What of Node is used where there is one. */
const { process } = globalThis as {
  process?: { env?: Record<string, string | undefined>; versions?: { node?: string } };
};

export function readOptions(options: SupportOptions): Setup {
  // Deno asks its user before it lets a program read the environment.
  const env = options.baseUrl === undefined ? process?.env : undefined;
  const retries = options.retries ?? defaultRetries;
  if (!Number.isInteger(retries) || retries < 0) {
    throw new RangeError(`${retries} retries`);
  }
  const headers = new Headers({ Accept: 'application/json, application/problem+json' });
  if (process?.versions?.node) {
    headers.set('User-Agent', `support-typescript/${version}`); // Browsers name themselves.
  }
  setHeaders(headers, options.headers ?? {});
  return {
    baseUrl: readBaseURL(options.baseUrl ?? env?.['SUPPORT_BASE_URL'] ?? ''),
    retries,
    headers,
    fetch: options.fetch,
    sessionStore:
      options.sessionStore ??
      new MemorySession(options.token ?? env?.['SUPPORT_TOKEN'] ?? '', options.refreshToken ?? '', options.keepTokens),
  };
}

/** Sets the headers that have a value. */
export function setHeaders(headers: Headers, values: Record<string, string | null | undefined>): void {
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== null) {
      headers.set(name, value);
    }
  }
}

function readBaseURL(text: string): string {
  if (text === '') {
    throw new TypeError('no base URL: set baseUrl or SUPPORT_BASE_URL');
  }
  // In a browser, it may be relative to the page.
  const page = (globalThis as { location?: { href: string } }).location?.href;
  const url = URL.canParse(text, page) ? new URL(text, page) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search) {
    throw new TypeError('the base URL is not of the form https://host/path');
  }
  return url.origin + url.pathname.replace(/\/$/, '');
}
