import type { DeskEvent, DeskEvents } from './api/types.gen.js';
import { wait } from './deadline.js';
import { firstPause, mayHelp, pauseAfter } from './retry.js';

/** How many events a page has at most, and how many seconds a request waits for the first of them. */
const page = { limit: 200, wait: 20 };

/** Where followEvents begins, and what it follows. */
export interface EventsFrom {
  /** The position of the last event that you have processed. Without it, the events begin with the oldest that is kept. */
  after?: number;
  /** The types that are wanted, separated by commas. */
  types?: string;
  /** The ticket whose events are wanted. */
  ticket_id?: string;
}

/** What followEvents reads with: a Support. */
export interface EventSourceOf {
  listEvents(params: EventsFrom & { limit: number; wait: number }, options: { signal?: AbortSignal }): Promise<DeskEvents>;
}

/**
 * Iterates over the events of the desk, in their order, and waits for the next ones until the signal is aborted. It comes back
 * whenever the server or the network fails, as often as it takes. Store each event's position in the transaction with what you
 * make of it, and begin there next time: then nothing is missed or done twice, whoever is killed in between.
 *
 * It throws what does not pass by itself, such as a Problem with the code position_expired when the server no longer keeps what
 * comes after the position.
 */
export async function* followEvents(
  support: EventSourceOf, from: EventsFrom = {}, { signal }: { signal?: AbortSignal } = {},
): AsyncGenerator<DeskEvent, void, undefined> {
  let position = from.after;
  for (let failures = 0; ; ) {
    try {
      const params = position === undefined ? { ...from, ...page } : { ...from, ...page, after: position };
      const { events, position: next } = await support.listEvents(params, signal ? { signal } : {});
      failures = 0;
      yield* events;
      position = next;
    } catch (error) {
      signal?.throwIfAborted();
      if (!mayHelp(error, signal)) {
        throw error;
      }
      await wait(pauseAfter(error, firstPause, failures++), signal);
    }
  }
}
