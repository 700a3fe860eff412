export declare const defaultRetries = 2;
/** The pause before the first retry, in milliseconds; it doubles up to maxPause. */
export declare const firstPause = 500;
/** An error after which the request is not sent again, whatever it is. */
export declare class Final extends Error {
    readonly cause: unknown;
    constructor(cause: unknown);
}
/** Tries until it succeeds, the retries are used up, or another try would not help. */
export declare function retry<T>(retries: number, signal: AbortSignal | undefined, attempt: () => Promise<T>): Promise<T>;
/** Whether sending the same request again may bring another result. */
export declare function mayHelp(error: unknown, signal: AbortSignal | undefined): boolean;
/** The error as the caller gets it. */
export declare function reveal(error: unknown): unknown;
/**
 * How many milliseconds to wait: the pause, doubled n times and lengthened at random by up to a quarter, so that those whom one
 * fault cut off do not all come back at once; or what the server asks for, if that is longer.
 */
export declare function pauseAfter(error: unknown, pause: number, n: number): number;
export declare function wait(milliseconds: number, signal: AbortSignal | undefined): Promise<void>;
/** A signal that aborts with another one, or when it is not put off in time. */
export declare class Deadline {
    #private;
    private readonly milliseconds;
    private readonly outer;
    constructor(milliseconds: number, outer: AbortSignal | undefined);
    get signal(): AbortSignal;
    putOff(): void;
    /** Lets go of the timer and the other signal. */
    end(): void;
}
