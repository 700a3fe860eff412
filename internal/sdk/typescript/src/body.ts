import type { Deadline } from './deadline.js';

/** Reads a body until it ends or the deadline passes. */
export class BodyReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;

  constructor(
    body: ReadableStream<Uint8Array>,
    private readonly deadline: Deadline,
  ) {
    this.#reader = body.getReader();
  }

  /** Returns the next bytes, or undefined at the end. */
  async next(): Promise<Uint8Array | undefined> {
    const { value } = await this.deadline.race(this.#reader.read());
    return value;
  }

  hangUp(): void {
    this.#reader.cancel().catch(() => undefined);
  }
}

/** Whether a response's body can be read as it arrives. React Native has no body; node-fetch has a Node.js stream. */
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
