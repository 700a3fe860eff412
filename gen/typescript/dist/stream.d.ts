import type { AIResponseEvent } from './api/types.gen.js';
import type { Sent } from './caller.js';
/** The reading of one stream, over all its connections. */
export declare class StreamReader {
    #private;
    private readonly retries;
    private readonly signal;
    private readonly open;
    constructor(retries: number, signal: AbortSignal | undefined, headers: Headers, open: (headers: Headers, signal: AbortSignal) => Promise<Sent<unknown>>);
    /** Yields the events and resumes the stream wherever it is cut. It throws unless the stream ended as it should. */
    events(): AsyncGenerator<AIResponseEvent, void, undefined>;
}
