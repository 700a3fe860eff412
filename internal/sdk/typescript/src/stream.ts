import type { AIResponseEvent } from './api/types.gen.js';
import type { Sent } from './caller.js';
import { mediaType, NetworkError, ProtocolError } from './errors.js';
import { Deadline, firstPause, mayHelp, pauseAfter, reveal, wait } from './retry.js';
import { EventDecoder, type Frame } from './sse.js';

/** The pause before a stream is resumed, in milliseconds, unless the server asks for another. */
const defaultComeBack = 1000;
/** How many times in a row a stream is resumed without getting an event. */
const maxFruitless = 10;
/** How many milliseconds a stream may be silent before it counts as cut: the server sends a comment every 15 seconds. */
const maxSilence = 45_000;

/** The kinds of events that this version of the contract has. */
const kinds: Record<AIResponseEvent['type'], true> = { start: true, delta: true, reset: true, done: true, failed: true };

/** The reading of one stream, over all its connections. */
export class StreamReader {
  readonly #headers: Headers;
  #opened = false;
  #comeBack = defaultComeBack;
  // Retries of the first request, later resumptions in a row without an event.
  #fruitless = 0;
  // The AI response that #lastSeq is of, and that of the last start.
  #response = '';
  #lastSeq = 0;
  #started = '';

  constructor(
    private readonly retries: number,
    private readonly signal: AbortSignal | undefined,
    headers: Headers,
    private readonly open: (headers: Headers, signal: AbortSignal) => Promise<Sent<unknown>>,
  ) {
    this.#headers = headers;
    this.#headers.set('Accept', 'text/event-stream');
  }

  /** Yields the events and resumes the stream wherever it is cut. It throws unless the stream ended as it should. */
  async *events(): AsyncGenerator<AIResponseEvent, void, undefined> {
    for (;;) {
      try {
        yield* this.#connection();
        return;
      } catch (error) {
        const [limit, pause] = this.#opened ? [maxFruitless, this.#comeBack] : [this.retries, firstPause];
        this.signal?.throwIfAborted();
        if (this.#fruitless >= limit || !mayHelp(error, this.signal)) {
          throw reveal(error);
        }
        await wait(pauseAfter(error, pause, this.#fruitless), this.signal);
        this.#fruitless++;
      }
    }
  }

  /** Reads one connection, up to the end of the stream. It throws when the connection is cut. */
  async *#connection(): AsyncGenerator<AIResponseEvent, void, undefined> {
    const silence = new Deadline(maxSilence, this.signal);
    let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
    try {
      const { response } = await this.open(this.#headers, silence.signal);
      reader = response.body?.getReader();
      if (!this.#opened) {
        this.#opened = true;
        this.#fruitless = 0;
      }
      if (response.status === 204) {
        return;
      }
      if (mediaType(response) !== 'text/event-stream') {
        throw new ProtocolError(`${mediaType(response)} in place of a stream`);
      }
      const decoder = new EventDecoder();
      for (;;) {
        silence.putOff();
        const bytes = await read(reader);
        for (const frame of decoder.push(bytes)) {
          this.#comeBack = decoder.retry ?? this.#comeBack;
          const event = this.#accept(frame);
          if (event) {
            yield event;
          }
          if (event?.type === 'done' || event?.type === 'failed') {
            return;
          }
        }
        this.#comeBack = decoder.retry ?? this.#comeBack;
      }
    } finally {
      silence.end();
      reader?.cancel().catch(() => undefined);
    }
  }

  /** Returns the event unless it was accepted before or is not known. */
  #accept(frame: Frame): AIResponseEvent | undefined {
    const [response = '', number = ''] = split(frame.id);
    const seq = /^\d+$/.test(number) ? Number(number) : 0;
    if (seq > 0 && response === this.#response && seq <= this.#lastSeq) {
      return undefined;
    }
    const event = decode(frame);
    if (frame.id !== '') {
      this.#response = response;
      this.#lastSeq = seq;
      this.#fruitless = 0;
      this.#headers.set('Last-Event-ID', frame.id);
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

async function read(reader: ReadableStreamDefaultReader<Uint8Array> | undefined): Promise<Uint8Array> {
  let cause: unknown;
  try {
    const { value } = (await reader?.read()) ?? {};
    if (value) {
      return value;
    }
  } catch (error) {
    cause = error;
  }
  throw new NetworkError('the stream was cut', { cause });
}

/** The AI response and the number that an event's id names. The attempt may follow. */
function split(id: string): string[] {
  return id.split(':').slice(0, 2);
}

/** The event's name is its type, but a delta has no name. */
function decode(frame: Frame): AIResponseEvent | undefined {
  if (frame.name !== '' && !Object.hasOwn(kinds, frame.name)) {
    return undefined;
  }
  let event: AIResponseEvent | null;
  try {
    event = JSON.parse(frame.data);
  } catch (cause) {
    throw new ProtocolError('an event that is no JSON', { cause });
  }
  if (typeof event !== 'object' || event === null) {
    throw new ProtocolError('an event that is no object');
  }
  return Object.hasOwn(kinds, event.type) ? event : undefined;
}
