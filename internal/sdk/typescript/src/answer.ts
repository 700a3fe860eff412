import type { Message } from './api/types.gen.js';
import { Failed, NoAnswer, Ready } from './errors.js';
import type { StreamEvent } from './stream.js';

/**
 * How many milliseconds of silence pass before a relayed stream sends a comment, so that servers and proxies keep the connection
 * open. Bun.serve closes it after 10 seconds, unless it has another idleTimeout.
 */
const keepAlive = 5_000;

/**
 * Waits for the end of a stream, such as that of streamAIResponse, and returns the message that stores the answer. Throws
 * Failed when the answer ends without a message, and Ready when it is a text that only staff may read.
 */
export async function answerOf(events: AsyncIterable<StreamEvent>): Promise<Message> {
  for await (const event of events) {
    switch (event.type) {
      case 'done':
        return event.message;
      case 'failed':
        throw new Failed(event);
      case 'ready':
        throw new Ready(event);
    }
  }
  throw new NoAnswer();
}

/**
 * Turns the events of a stream into a response for a browser's EventSource, as the server sends them, with their ids. Pass
 * the Last-Event-ID of the browser's request to the stream, so that a browser that reconnects continues where it stopped.
 * When the browser disconnects, relay leaves the stream.
 *
 * It rejects when the stream fails before its first event and within 5 seconds. A stream without events becomes a response with
 * status 204, which stops an EventSource. A later error ends the response; the browser then reconnects, and an error that
 * persists makes that call reject. A model may think for longer before its first word: then the response begins with a comment.
 */
export async function relay(events: AsyncGenerator<StreamEvent, void, undefined>): Promise<Response> {
  const first = events.next();
  const early = await within(keepAlive, first);
  if (early?.done) {
    return new Response(null, { status: 204 });
  }
  const encoder = new TextEncoder();
  const comment = encoder.encode(':\n\n');
  let begun = false;
  const next = async () => {
    const result = begun ? events.next() : first;
    begun = true;
    return (await result).value;
  };
  let silence: ReturnType<typeof setInterval> | undefined;
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        if (!early) {
          controller.enqueue(comment);
        }
      },
      async pull(controller) {
        silence ??= setInterval(() => {
          // While an event waits to be read, the stream is not silent.
          if (controller.desiredSize === 0) {
            controller.enqueue(comment);
          }
        }, keepAlive);
        const event = await next().catch(() => undefined);
        if (event) {
          controller.enqueue(encoder.encode(encode(event)));
          return;
        }
        clearInterval(silence);
        controller.close();
      },
      async cancel() {
        clearInterval(silence);
        await events.return();
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, {
    headers: {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-cache, no-transform', // Servers and proxies collect what they compress.
      'X-Accel-Buffering': 'no',
    },
  });
}

/** Waits for the work, but not for longer than this. */
async function within<T>(milliseconds: number, work: Promise<T>): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, milliseconds, undefined);
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** Encodes an event as the server does. A delta has no event name. */
function encode({ id, ...event }: StreamEvent): string {
  const name = event.type === 'delta' ? '' : `event: ${event.type}\n`;
  return `${id && `id: ${id}\n`}${name}data: ${JSON.stringify(event)}\n\n`;
}
