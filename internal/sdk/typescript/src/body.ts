import type { Deadline } from './deadline.js';

/** Reads a body until it ends or the deadline passes. Leaving it early hangs up. */
export class BodyReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;

  constructor(
    body: ReadableStream<Uint8Array>,
    private readonly deadline: Deadline,
  ) {
    this.#reader = body.getReader();
  }

  /** Returns the next bytes, or nothing at the end. */
  async next(): Promise<Uint8Array | undefined> {
    const { value } = await this.deadline.race(this.#reader.read());
    return value;
  }

  hangUp(): void {
    this.#reader.cancel().catch(() => undefined);
  }
}

/** Whether the body of a response can be read while it comes. In React Native, there is none; in node-fetch, it is another kind. */
export function canStream(body: unknown): body is ReadableStream<Uint8Array> {
  return typeof (body as Partial<ReadableStream> | null | undefined)?.getReader === 'function';
}

/** Reads a whole body as text. */
export async function readText(response: Response, deadline: Deadline): Promise<string> {
  if (!canStream(response.body)) {
    return deadline.race(response.text());
  }
  const reader = new BodyReader(response.body, deadline);
  const decoder = new TextDecoder();
  let text = '';
  try {
    for (let bytes = await reader.next(); bytes; bytes = await reader.next()) {
      text += decoder.decode(bytes, { stream: true });
    }
    return text + decoder.decode();
  } finally {
    reader.hangUp();
  }
}
