/** One event as it was sent. */
export interface Frame {
    id: string;
    name: string;
    data: string;
}
/** Reads server-sent events (HTML Living Standard, section 9.2.6). */
export declare class EventDecoder {
    #private;
    /** How many milliseconds the server last asked to wait before coming back, if it has. */
    retry: number | undefined;
    /** Yields the events that are complete with these bytes. What a stream breaks off within is lost. */
    push(bytes: Uint8Array): Generator<Frame, void, undefined>;
}
