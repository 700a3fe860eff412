import type { Message } from './api/types.gen.js';
import { Failed, NoAnswer, Ready } from './errors.js';
import type { StreamEvent } from './stream.js';

/** How many milliseconds a relayed stream may be silent before a comment is sent, for the proxies on the way. */
const keepAlive = 15_000;

/**
 * Waits for the end of a stream, such as that of streamAIResponse, and returns the message that the answer is stored as. It
 * throws Failed when the answer ends without one, and Ready when it is a text that only staff may read.
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
 * Makes the events of a stream a response for a browser's EventSource, as the server sends them, with their ids. Give the
 * stream the Last-Event-ID of the browser's request, so that a browser that comes back goes on where it was. When the browser
 * hangs up, the stream is left.
 *
 * It rejects when the first that comes is an error. A stream without events is a response with the status 204, which stops an
 * EventSource. An error that comes later ends the response; the browser comes back, and what does not pass by itself is the
 * first error then.
 */
export async function relay(events: AsyncGenerator<StreamEvent, void, undefined>): Promise<Response> {
  const first = await events.next();
  if (first.done) {
    return new Response(null, { status: 204 });
  }
  const encoder = new TextEncoder();
  const comment = encoder.encode(':\n\n');
  let begun = false;
  const next = async () => {
    const { value } = begun ? await events.next() : first;
    begun = true;
    return value;
  };
  let silence: ReturnType<typeof setInterval> | undefined;
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        silence ??= setInterval(() => {
          // What is not read yet is not silence.
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
    headers: { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache', 'X-Accel-Buffering': 'no' },
  });
}

/** The event as the server sends it. A delta has no name. */
function encode({ id, ...event }: StreamEvent): string {
  const name = event.type === 'delta' ? '' : `event: ${event.type}\n`;
  return `${id && `id: ${id}\n`}${name}data: ${JSON.stringify(event)}\n\n`;
}
