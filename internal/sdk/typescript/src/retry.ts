import { wait } from './deadline.js';
import { NetworkError, NotModified, Problem, ProtocolError } from './errors.js';

/** The pause before the first retry, in milliseconds; it doubles up to maxPause. */
export const firstPause = 500;
const maxPause = 30_000;

/** The longest Retry-After that the SDK waits for, in seconds. */
const maxRetryAfter = 60;

/** Wraps an error after which the request must not be retried. */
export class Final extends Error {
  constructor(override readonly cause: unknown) {
    super();
  }
}

/** Repeats the attempt until it succeeds, the retries are used up, or another attempt cannot help. */
export async function retry<T>(retries: number, signal: AbortSignal | undefined, attempt: () => Promise<T>): Promise<T> {
  for (let n = 0; ; n++) {
    try {
      return await attempt();
    } catch (error) {
      signal?.throwIfAborted();
      if (n >= retries || !mayHelp(error, signal)) {
        throw reveal(error);
      }
      await wait(pauseAfter(error, firstPause, n), signal);
    }
  }
}

/** Whether another attempt of the same request may succeed. */
export function mayHelp(error: unknown, signal: AbortSignal | undefined): boolean {
  if (signal?.aborted || error instanceof ProtocolError || error instanceof NotModified || error instanceof Final) {
    return false;
  }
  return !(error instanceof Problem) || (error.retryable && error.retryAfter <= maxRetryAfter);
}

/**
 * Whether the cause of the error may pass by itself. Those who follow something for longer than a request's retries then
 * continue, even after a refresh that failed. Other errors, such as those of a session store, are the program's.
 */
export function mayPass(error: unknown, signal: AbortSignal | undefined): boolean {
  const cause = reveal(error);
  return (cause instanceof NetworkError || cause instanceof Problem) && mayHelp(cause, signal);
}

/** Returns the error that the caller receives. */
export function reveal(error: unknown): unknown {
  return error instanceof Final ? error.cause : error;
}

/**
 * Returns how many milliseconds to wait before retry n: the pause, doubled n times and extended at random by up to a quarter,
 * so that clients that failed together do not all retry together; or what the server asks for, if that is longer.
 */
export function pauseAfter(error: unknown, pause: number, n: number): number {
  const doubled = Math.min(pause * 2 ** n, maxPause);
  const asked = error instanceof Problem ? error.retryAfter * 1000 : 0;
  return Math.max(doubled * (1 + Math.random() / 4), asked);
}
