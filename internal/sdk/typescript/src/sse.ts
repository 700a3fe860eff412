import { ProtocolError } from './errors.js';

/** The longest line, and the longest data of an event, in UTF-16 code units. */
const maxEvent = 1 << 20;

/** One event, as sent. */
export interface Frame {
  id: string;
  name: string;
  data: string;
}

/** Reads server-sent events (HTML Living Standard, section 9.2.6). */
export class EventDecoder {
  /** How many milliseconds the server last asked clients to wait before they reconnect, if it has. */
  retry: number | undefined;

  // Keeps the bytes of an incomplete character, and drops a byte order mark at the start of the stream.
  readonly #text = new TextDecoder();
  #rest = '';
  // The text so far ends with a CR: an LF that follows belongs to it.
  #afterCR = false;
  #id = '';
  #name = '';
  #data: string[] = [];
  #length = 0;

  /** Yields the events that these bytes complete. An event that the stream cuts off is lost. */
  *push(bytes: Uint8Array): Generator<Frame, void, undefined> {
    let text = this.#text.decode(bytes, { stream: true });
    if (text === '') {
      return;
    }
    if (this.#afterCR && text.startsWith('\n')) {
      text = text.slice(1);
    }
    this.#afterCR = text.endsWith('\r');
    const lines = (this.#rest + text).split(/\r\n|\r|\n/);
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const frame = this.#line(line);
      if (frame) {
        yield frame;
      }
    }
    bound(this.#rest.length, 'a line');
  }

  #line(line: string): Frame | undefined {
    bound(line.length, 'a line');
    if (line === '') {
      return this.#end();
    }
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    switch (name) {
      case 'data':
        this.#length += value.length;
        bound(this.#length, 'an event');
        this.#data.push(value);
        break;
      case 'event':
        this.#name = value;
        break;
      case 'id':
        if (!value.includes('\0')) {
          this.#id = value;
        }
        break;
      case 'retry':
        if (/^\d{1,9}$/.test(value)) {
          this.retry = Number(value);
        }
        break;
    }
    return undefined;
  }

  /** A blank line ends an event. Without data, there is no event. */
  #end(): Frame | undefined {
    const frame = { id: this.#id, name: this.#name, data: this.#data.join('\n') };
    this.#name = '';
    if (this.#data.length === 0) {
      return undefined;
    }
    this.#id = '';
    this.#data = [];
    this.#length = 0;
    return frame;
  }
}

function bound(length: number, what: string): void {
  if (length > maxEvent) {
    throw new ProtocolError(`${what} is longer than ${maxEvent} characters`);
  }
}
