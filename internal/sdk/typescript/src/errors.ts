import type { AIFailureCode, FailedEvent, FieldError, Problem as Document, ProblemCode, ReadyEvent } from './api/types.gen.js';

/** The statuses that gateways have for what may pass. */
const passing = [429, 502, 503, 504];

/**
 * A response that is no success (RFC 9457). One by something else than the server, such as a proxy, has a status and no code.
 */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** Decide by this: the contract lists the codes. It is empty when the server did not send the response. */
  readonly code: ProblemCode | '';
  /** The request's name in the server's log. */
  readonly requestId: string;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  /** Where the request breaks a rule. */
  readonly errors: FieldError[];
  /** How many seconds the server asks to wait; 0 if it does not. */
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

/** There was no response, or not all of it. The cause says why. */
export class NetworkError extends Error {
  override readonly name = 'NetworkError';
}

/** The server sent what the contract does not have. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/** What If-None-Match names is still current. */
export class NotModified extends Error {
  override readonly name = 'NotModified';

  constructor() {
    super('not modified');
  }
}

/** A stream had nothing (more) to tell. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';

  constructor() {
    super('the stream ended without an answer');
  }
}

/** The event that ended an answer for which askAI waited. */
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

/** The event that ended a text for which askAI waited, and which only staff may read: a draft, or what staff asked the AI for. */
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

/** Reads the problem that a response with this body is. */
export function readProblem(response: Pick<Response, 'status' | 'headers'>, text: string): Problem {
  if (mediaType(response) === 'application/problem+json') {
    try {
      const document: Document | null = JSON.parse(text);
      if (document?.code) {
        return new Problem(response, document);
      }
    } catch {
      // What is no JSON is not from the server.
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
