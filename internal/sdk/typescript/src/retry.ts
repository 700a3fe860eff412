import { wait } from './deadline.js';
import { NotModified, Problem, ProtocolError } from './errors.js';

/** The pause before the first retry, in milliseconds; it doubles up to maxPause. */
export const firstPause = 500;
const maxPause = 30_000;

/** The longest Retry-After that is waited for, in seconds. */
const maxRetryAfter = 60;

/** An error after which the request is not sent again, whatever it is. */
export class Final extends Error {
  constructor(override readonly cause: unknown) {
    super();
  }
}

/** Tries until it succeeds, the retries are used up, or another try would not help. */
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

/** Whether sending the same request again may bring another result. */
export function mayHelp(error: unknown, signal: AbortSignal | undefined): boolean {
  if (signal?.aborted || error instanceof ProtocolError || error instanceof NotModified || error instanceof Final) {
    return false;
  }
  return !(error instanceof Problem) || (error.retryable && error.retryAfter <= maxRetryAfter);
}

/** The error as the caller gets it. */
export function reveal(error: unknown): unknown {
  return error instanceof Final ? error.cause : error;
}

/**
 * How many milliseconds to wait: the pause, doubled n times and lengthened at random by up to a quarter, so that those whom one
 * fault cut off do not all come back at once; or what the server asks for, if that is longer.
 */
export function pauseAfter(error: unknown, pause: number, n: number): number {
  const doubled = Math.min(pause * 2 ** n, maxPause);
  const asked = error instanceof Problem ? error.retryAfter * 1000 : 0;
  return Math.max(doubled * (1 + Math.random() / 4), asked);
}
