import type { AccessToken } from './api/types.gen.js';
import { MemorySession, type SessionStore } from './session.js';
import { version } from './version.js';

const defaultRetries = 2;

/** The part of fetch that the SDK uses. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** The options of an SDK. The options of a call take precedence. */
export interface SupportOptions {
  /**
   * The server's URL, such as `https://support.example.com`. It may have a path. By default, SUPPORT_BASE_URL and
   * SUPPORT_TOKEN are read from the environment of Node, Deno or Bun; with a baseUrl, the environment is not read.
   */
  baseUrl?: string | undefined;
  /** The access token or API key. */
  token?: string | undefined;
  /** Replaces an access token that has expired. A refresh token is for one use: keepTokens receives the next one. */
  refreshToken?: string | undefined;
  /** Called with each new pair of tokens before the SDK uses them. */
  keepTokens?: ((next: AccessToken) => void | Promise<void>) | undefined;
  /** Keeps the tokens when tabs or processes share a session. It replaces the three options above. */
  sessionStore?: SessionStore | undefined;
  /** How often a request is retried. The default is 2; 0 turns retries off. */
  retries?: number | undefined;
  /** Headers of every request. The headers of a call take precedence. */
  headers?: Record<string, string | undefined> | undefined;
  /** Sends the requests. The default is the global fetch. */
  fetch?: Fetch | undefined;
}

/** The options of one call. They take precedence over those of the SDK. */
export interface CallOptions {
  /** Aborts the call, including its retries. */
  signal?: AbortSignal | undefined;
  /** Headers of the request. */
  headers?: Record<string, string | undefined> | undefined;
  /**
   * The idempotency key. The SDK generates one by default. Store a key of your own before the call, and another process can
   * repeat the request.
   */
  idempotencyKey?: string | undefined;
  /** The version that the request expects. If the current version is another, the call throws a Problem with status 412. */
  ifMatch?: string | undefined;
  /** The version that you have. If it is still current, the call throws NotModified. */
  ifNoneMatch?: string | undefined;
  /**
   * Begins a stream after the event with this id, such as one that a browser sent as Last-Event-ID. By default, the stream
   * begins with its first event.
   */
  lastEventId?: string | null | undefined;
  /** Called with the headers of the response, such as ETag. */
  responseHeaders?: ((headers: Headers) => void) | undefined;
}

/** Removes the options that apply to a question only, not to the stream of its answer. */
export function withoutConditions({ idempotencyKey, ifMatch, headers, ...options }: CallOptions): CallOptions {
  const own = Object.entries(headers ?? {}).filter(([name]) => !/^(idempotency-key|if-match)$/i.test(name));
  return { ...options, headers: Object.fromEntries(own) };
}

/** Allows undefined for optional members. */
export type Optional<T> = { [K in keyof T]: {} extends Pick<T, K> ? T[K] | undefined : T[K] };

/** The options, checked, with defaults filled in. */
export interface Setup {
  baseUrl: string;
  retries: number;
  headers: Headers;
  fetch: Fetch | undefined;
  sessionStore: SessionStore;
}

/** The part of Node's process that the SDK uses, where there is one. */
const { process } = globalThis as {
  process?: { env?: Record<string, string | undefined>; versions?: { node?: string } };
};

export function readOptions(options: SupportOptions): Setup {
  // Deno asks its user for permission before a program reads the environment.
  const env = options.baseUrl === undefined ? process?.env : undefined;
  const retries = options.retries ?? defaultRetries;
  if (!Number.isInteger(retries) || retries < 0) {
    throw new RangeError(`retries must be an integer of 0 or more, not ${retries}`);
  }
  const headers = new Headers({ Accept: 'application/json, application/problem+json' });
  if (process?.versions?.node) {
    headers.set('User-Agent', `support-typescript/${version}`); // Browsers set their own.
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

/** React Native has no URL.canParse. */
function parseURL(text: string, base: string | undefined): URL | undefined {
  try {
    return new URL(text, base);
  } catch {
    return undefined;
  }
}

function readBaseURL(text: string): string {
  if (text === '') {
    throw new TypeError('no base URL: set baseUrl or SUPPORT_BASE_URL');
  }
  // In a browser, the URL may be relative to the page.
  const page = (globalThis as { location?: { href: string } }).location?.href;
  const url = parseURL(text, page);
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search) {
    throw new TypeError('the base URL must have the form https://host/path');
  }
  return url.origin + url.pathname.replace(/\/$/, '');
}
