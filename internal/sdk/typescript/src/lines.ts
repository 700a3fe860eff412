import { BodyReader, canStream } from './body.js';
import { Deadline } from './deadline.js';
import { mediaType, NetworkError, ProtocolError } from './errors.js';
import { retry } from './retry.js';
import { maxSilence, noStreams, requireStreams } from './stream.js';

/** Newline-delimited JSON. */
export const mediaTypeLines = 'application/x-ndjson';

/** The longest line, in UTF-16 code units. */
const maxLine = 1 << 20;

/** The member that all lines have. The last line has the type end. */
export interface Line {
  type: string;
}

/** How to request a response of lines. */
export interface LineSource {
  retries: number;
  signal: AbortSignal | undefined;
  usesGlobalFetch: boolean;
  /** Sends the request. */
  open: (deadline: Deadline) => Promise<Response>;
}

/**
 * Yields the lines as they arrive, up to the one of type end. It throws when the response ends without that line, because the
 * response is then incomplete. The request is retried only until a response begins.
 */
export async function* readLines<T extends Line>(source: LineSource): AsyncGenerator<T, void, undefined> {
  requireStreams(source.usesGlobalFetch);
  const silence = new Deadline(maxSilence, source.signal);
  let reader: BodyReader | undefined;
  try {
    const response = await retry(source.retries, source.signal, async () => {
      // Neither the pause between two attempts nor the time that the caller takes over a line counts as silence.
      silence.start();
      const opened = await source.open(silence);
      silence.pause();
      return opened;
    });
    if (!canStream(response.body)) {
      throw noStreams().cause;
    }
    reader = new BodyReader(response.body, silence);
    if (mediaType(response) !== mediaTypeLines) {
      throw new ProtocolError(`expected ${mediaTypeLines}, received ${mediaType(response)}`);
    }
    const decoder = new TextDecoder();
    for (let rest = ''; ; ) {
      const lines = (rest + decoder.decode(await next(reader, silence, source.signal), { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const text of lines) {
        const line = parse<T>(text);
        yield line;
        if (line.type === 'end') {
          return;
        }
        silence.signal.throwIfAborted();
      }
      if (rest.length > maxLine) {
        throw new ProtocolError(`a line is longer than ${maxLine} characters`);
      }
    }
  } finally {
    silence.end();
    reader?.hangUp();
  }
}

/** Returns the next bytes. The line of type end has not come yet, so the end of the response is an error. */
async function next(reader: BodyReader, silence: Deadline, signal: AbortSignal | undefined): Promise<Uint8Array> {
  let cause: unknown;
  silence.start();
  try {
    const bytes = await reader.next();
    if (bytes) {
      return bytes;
    }
  } catch (error) {
    signal?.throwIfAborted();
    cause = error;
  } finally {
    silence.pause();
  }
  throw new NetworkError('the connection was lost within the response', { cause });
}

function parse<T>(text: string): T {
  let line: T | null;
  try {
    line = JSON.parse(text);
  } catch (cause) {
    throw new ProtocolError('a line is not JSON', { cause });
  }
  if (typeof line !== 'object' || line === null) {
    throw new ProtocolError('a line is not an object');
  }
  return line;
}
