import type { AIFailureCode, FailedEvent, FieldError, Problem as Document, ProblemCode, ReadyEvent } from './api/types.gen.js';

/** The statuses of gateways that may disappear when a request is retried. */
const passing = [429, 502, 503, 504];

/**
 * An error response (RFC 9457). A response that did not come from the server, such as one from a proxy, has a status but no
 * code.
 */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** What went wrong. The contract lists the codes. It is empty when the response did not come from the server. */
  readonly code: ProblemCode | '';
  /** Identifies the request in the server's log. */
  readonly requestId: string;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  /** The parts of the request that break a rule. */
  readonly errors: FieldError[];
  /** How many seconds the server asks to wait before a retry, or 0. */
  readonly retryAfter: number;

  constructor(response: Pick<Response, 'status' | 'headers'>, document?: Document) {
    const requestId = document?.request_id ?? response.headers.get('X-Request-Id') ?? '';
    const parts = [document?.title, document?.detail].filter((part) => part).map((part) => `: ${part?.replace(/\.$/, '')}`);
    const fields = (document?.errors ?? []).map((field) => `; ${field.pointer} ${field.code}`);
    const code = document ? ` ${document.code}` : '';
    super(`${response.status}${code}${parts.join('')}${fields.join('')}${requestId && ` (request ${requestId})`}`);
    this.type = document?.type ?? 'about:blank';
    this.title = document?.title ?? '';
    this.status = response.status;
    this.detail = document?.detail ?? '';
    this.code = document?.code ?? '';
    this.requestId = requestId;
    this.retryable = document ? document.retryable === true : passing.includes(response.status);
    this.errors = document?.errors ?? [];
    this.retryAfter = readRetryAfter(response.headers.get('Retry-After') ?? '');
  }
}

/** Whether an error is a problem with that code. */
export function isProblem(error: unknown, code: ProblemCode): error is Problem {
  return error instanceof Problem && error.code === code;
}

/** No response arrived, or only part of one. The cause says why. */
export class NetworkError extends Error {
  override readonly name = 'NetworkError';

  /** Makes the error of a request. The message leaves out the query, which may contain personal data. */
  static of(method: string, url: string, cause: unknown): NetworkError {
    const { origin, pathname } = new URL(url);
    // Browsers do not say why, and most often it is this.
    const page = (globalThis as { location?: { origin: string } }).location?.origin;
    const hint = page && page !== origin ? ` (is ${page} one of the server's ALLOWED_ORIGINS?)` : '';
    return new NetworkError(`${method} ${origin}${pathname}: ${explain(cause)}${hint}`, { cause });
  }
}

/** What an error says. That of Node's fetch only says that it failed; its cause has the reason. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  const cause = error.cause as { message?: string; code?: string } | undefined;
  const reason = cause?.message || cause?.code;
  return reason ? `${error.message}: ${reason}` : error.message;
}

/** The server sent a response that the contract does not allow. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/** The version that If-None-Match names is still current. */
export class NotModified extends Error {
  override readonly name = 'NotModified';

  constructor() {
    super('not modified');
  }
}

/** The stream ended without an answer, because there was nothing to answer or to resume. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';

  constructor() {
    super('the stream ended without an answer');
  }
}

/** askAI or answerOf waited for an answer, and it ended with a failed event. */
export class Failed extends Error {
  override readonly name = 'Failed';
  readonly aiResponseId: string;
  readonly code: AIFailureCode;
  readonly detail: string;
  /** Whether asking again may succeed. */
  readonly retryable: boolean;

  constructor(event: FailedEvent) {
    super(`no answer: ${event.code}: ${event.detail}`);
    this.aiResponseId = event.ai_response_id;
    this.code = event.code;
    this.detail = event.detail;
    this.retryable = event.retryable;
  }
}

/**
 * askAI or answerOf waited for an answer, and it ended as a text that only staff may read: a draft, or what staff asked the
 * AI for.
 */
export class Ready extends Error {
  override readonly name = 'Ready';
  readonly aiResponseId: string;
  readonly content: string;

  constructor(event: ReadyEvent) {
    super(`AI response ${event.ai_response_id} is for staff`);
    this.aiResponseId = event.ai_response_id;
    this.content = event.content;
  }
}

/** Makes a Problem of an error response and its body. */
export function readProblem(response: Pick<Response, 'status' | 'headers'>, text: string): Problem {
  if (mediaType(response) === 'application/problem+json') {
    try {
      const document: Document | null = JSON.parse(text);
      if (document?.code) {
        return new Problem(response, document);
      }
    } catch {
      // The server always sends JSON, so this response is not from it.
    }
  }
  return new Problem(response);
}

/** The media type of a response, without parameters. */
export function mediaType(response: Pick<Response, 'headers'>): string {
  const [type = ''] = (response.headers.get('Content-Type') ?? '').split(';');
  return type.trim().toLowerCase();
}

/** Reads a number of seconds or a date (RFC 9110, section 10.2.3). */
function readRetryAfter(value: string): number {
  if (/^\d+$/.test(value)) {
    return Number(value);
  }
  const seconds = (Date.parse(value) - Date.now()) / 1000;
  return seconds > 0 ? seconds : 0;
}
