import type { AIResponseEvent } from './api/types.gen.js';
import { BodyReader, canStream } from './body.js';
import { Deadline, onAbort, wait } from './deadline.js';
import { mediaType, NetworkError, ProtocolError } from './errors.js';
import { Final, firstPause, mayHelp, mayPass, pauseAfter, reveal } from './retry.js';
import { EventDecoder, type Frame } from './sse.js';

/** The pause before a stream is resumed, in milliseconds, unless the server asks for another one. */
const defaultComeBack = 1000;
/** How many times in a row a stream is resumed without an event. */
const maxFruitless = 10;
/** How many milliseconds of silence count as a lost connection. The server sends a comment every 15 seconds. */
export const maxSilence = 45_000;

/** An event of a stream. Resume the stream after this event with its id, which is empty for a start. */
export type StreamEvent = AIResponseEvent & { id: string };

/** The types of events in this version of the contract. */
const kinds: Record<AIResponseEvent['type'], true> = { start: true, delta: true, reset: true, done: true, ready: true, failed: true };

/** How to open a stream. */
export interface StreamSource {
  retries: number;
  signal: AbortSignal | undefined;
  /** The id of the event after which the stream begins. */
  lastEventId: string;
  usesGlobalFetch: boolean;
  /** Sends the request. */
  open: (lastEventId: string, deadline: Deadline) => Promise<Response>;
}

/** Reads one stream over all its connections. */
export class StreamReader {
  // Aborts when the caller's signal does, and when the caller leaves the loop.
  readonly #ending = new AbortController();
  #left = false;
  #opened = false;
  #comeBack = defaultComeBack;
  // Until the stream is open, the retries of the first request; then the resumptions in a row without an event.
  #fruitless = 0;
  #lastEventId: string;
  // The AI response that #lastSeq belongs to, and the one of the last start event.
  #response: string;
  #lastSeq: number;
  #started = '';

  constructor(private readonly source: StreamSource) {
    this.#lastEventId = source.lastEventId;
    [this.#response, this.#lastSeq] = split(source.lastEventId);
  }

  /** Yields the events, and resumes the stream when its connection is lost. It throws unless the stream ends properly. */
  events(): AsyncGenerator<StreamEvent, void, undefined> {
    const events = this.#events();
    const leave = events.return.bind(events);
    // By itself, return waits until the pending read ends.
    events.return = (value) => {
      this.#left = true;
      this.#ending.abort();
      return leave(value);
    };
    return events;
  }

  async *#events(): AsyncGenerator<StreamEvent, void, undefined> {
    const { signal } = this.#ending;
    const unfollow = onAbort(this.source.signal, () => this.#ending.abort(this.source.signal?.reason));
    try {
      requireStreams(this.source.usesGlobalFetch);
      for (;;) {
        try {
          yield* this.#connection();
          return;
        } catch (error) {
          const [limit, pause, mayContinue] = this.#opened
            ? [maxFruitless, this.#comeBack, mayPass]
            : [this.source.retries, firstPause, mayHelp];
          signal.throwIfAborted();
          if (this.#fruitless >= limit || !mayContinue(error, signal)) {
            throw reveal(error);
          }
          await wait(pauseAfter(reveal(error), pause, this.#fruitless), signal);
          this.#fruitless++;
        }
      }
    } catch (error) {
      if (!this.#left) {
        throw error;
      }
    } finally {
      unfollow();
    }
  }

  /** Reads one connection up to the end of the stream. It throws when the connection is lost. */
  async *#connection(): AsyncGenerator<StreamEvent, void, undefined> {
    const silence = new Deadline(maxSilence, this.#ending.signal);
    let reader: BodyReader | undefined;
    try {
      const response = await this.source.open(this.#lastEventId, silence);
      silence.pause();
      if (!this.#opened) {
        this.#opened = true;
        this.#fruitless = 0;
      }
      if (response.status === 204) {
        return;
      }
      if (!canStream(response.body)) {
        throw noStreams();
      }
      reader = new BodyReader(response.body, silence);
      if (mediaType(response) !== 'text/event-stream') {
        throw new ProtocolError(`expected text/event-stream, received ${mediaType(response)}`);
      }
      const decoder = new EventDecoder();
      for (;;) {
        // The time that the caller takes over an event does not count as silence.
        silence.start();
        const bytes = await read(reader);
        silence.pause();
        for (const frame of decoder.push(bytes)) {
          this.#comeBack = decoder.retry ?? this.#comeBack;
          const event = this.#accept(frame);
          if (event) {
            yield event;
          }
          if (event?.type === 'done' || event?.type === 'ready' || event?.type === 'failed') {
            return;
          }
          silence.signal.throwIfAborted();
        }
        this.#comeBack = decoder.retry ?? this.#comeBack;
      }
    } finally {
      silence.end();
      reader?.hangUp();
    }
  }

  /** Returns the event, unless it is a repetition or of an unknown type. */
  #accept(frame: Frame): StreamEvent | undefined {
    const [response, seq] = split(frame.id);
    if (seq > 0 && response === this.#response && seq <= this.#lastSeq) {
      return undefined;
    }
    const event = decode(frame);
    if (frame.id !== '') {
      this.#response = response;
      this.#lastSeq = seq;
      this.#fruitless = 0;
      this.#lastEventId = frame.id;
    }
    if (event?.type === 'start') {
      if (event.ai_response_id === this.#started) {
        return undefined;
      }
      this.#started = event.ai_response_id;
    }
    return event;
  }
}

/**
 * Throws when responses of the global fetch have no streaming bodies. React Native's fetch, for example, would wait for the
 * end of the stream.
 */
export function requireStreams(usesGlobalFetch: boolean): void {
  if (usesGlobalFetch && !('body' in globalThis.Response.prototype)) {
    throw noStreams().cause;
  }
}

export function noStreams(): Final {
  return new Final(
    new TypeError('this fetch does not stream bodies: pass one that does to createSupport, or poll listAIResponseEvents'),
  );
}

async function read(reader: BodyReader): Promise<Uint8Array> {
  let cause: unknown;
  try {
    const bytes = await reader.next();
    if (bytes) {
      return bytes;
    }
  } catch (error) {
    cause = error;
  }
  throw new NetworkError('the connection of the stream was lost', { cause });
}

/** Splits an event's id into the AI response and the sequence number. The attempt may follow them. */
function split(id: string): [response: string, seq: number] {
  const [response = '', number = ''] = id.split(':');
  return [response, /^\d+$/.test(number) ? Number(number) : 0];
}

/** An event's name is its type. A delta has no name. */
function decode(frame: Frame): StreamEvent | undefined {
  if (frame.name !== '' && !Object.hasOwn(kinds, frame.name)) {
    return undefined;
  }
  let event: AIResponseEvent | null;
  try {
    event = JSON.parse(frame.data);
  } catch (cause) {
    throw new ProtocolError('an event is not JSON', { cause });
  }
  if (typeof event !== 'object' || event === null) {
    throw new ProtocolError('an event is not an object');
  }
  return Object.hasOwn(kinds, event.type) ? { ...event, id: frame.id } : undefined;
}
