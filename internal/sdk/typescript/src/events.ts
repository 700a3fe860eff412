import type { DeskEvent, DeskEvents } from './api/types.gen.js';
import { wait } from './deadline.js';
import { firstPause, mayPass, pauseAfter } from './retry.js';

/** The most events of a page, and how many seconds a request waits for the first of them. */
const limit = 200;
const patience = 20;

/** Where followEvents begins, and which events it returns. */
export interface EventsFrom {
  /**
   * The position of the last event that you have processed. By default, the events begin with the oldest that the server
   * keeps.
   */
  after?: number | undefined;
  /** Only events of these types, separated by commas. */
  types?: string | undefined;
  /** Only events of this ticket. */
  ticket_id?: string | undefined;
}

/** Options of followEvents. */
export interface FollowOptions {
  /** Ends the iteration. */
  signal?: AbortSignal | undefined;
  /**
   * Called with the error when the server or the network begins to fail, and with undefined when a request succeeds again, to
   * show or log that events may be missing in between.
   */
  onOutage?: ((error: unknown) => void) | undefined;
}

/** The part of Support that followEvents uses. */
export interface EventSourceOf {
  listEvents(params: EventsFrom & { limit: number; wait: number }, options: { signal?: AbortSignal | undefined }): Promise<DeskEvents>;
}

/**
 * Iterates over the events of the desk in order, and waits for new ones until the signal aborts. It retries without a limit
 * when the server or the network fails. Store each event's position in the same transaction as its effects, and begin there
 * next time: then you miss no event and process none twice, even after a crash.
 *
 * It throws errors that a retry cannot fix, such as a Problem with the code position_expired when the server has deleted the
 * events after the position.
 */
export async function* followEvents(
  support: EventSourceOf, from: EventsFrom = {}, { signal, onOutage }: FollowOptions = {},
): AsyncGenerator<DeskEvent, void, undefined> {
  let position = from.after;
  for (let failures = 0; ; ) {
    try {
      const waiting = failures === 0 ? patience : 0; // The end of an outage is reported immediately.
      const { events, position: next } = await support.listEvents({ ...from, after: position, limit, wait: waiting }, { signal });
      if (failures > 0) {
        failures = 0;
        onOutage?.(undefined);
      }
      yield* events;
      position = next;
    } catch (error) {
      signal?.throwIfAborted();
      if (!mayPass(error, signal)) {
        throw error;
      }
      if (failures === 0) {
        onOutage?.(error);
      }
      await wait(pauseAfter(error, firstPause, failures++), signal);
    }
  }
}
