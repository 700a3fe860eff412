import type { AIFailureCode, FailedEvent, FieldError, Problem as Document, ProblemCode } from './api/types.gen.js';
/**
 * A response that is no success (RFC 9457). One by something else than the server, such as a proxy, has a status and no code.
 */
export declare class Problem extends Error {
    readonly name = "Problem";
    readonly type: string;
    readonly title: string;
    readonly status: number;
    readonly detail: string;
    /** Decide by this: the contract lists the codes. It is empty when the server did not send the response. */
    readonly code: ProblemCode | '';
    /** The request's name in the server's log. */
    readonly requestId: string;
    /** Whether the same request may succeed later. */
    readonly retryable: boolean;
    /** Where the request breaks a rule. */
    readonly errors: FieldError[];
    /** How many seconds the server asks to wait; 0 if it does not. */
    readonly retryAfter: number;
    constructor(response: Pick<Response, 'status' | 'headers'>, document?: Document);
}
/** Whether an error is a problem with that code. */
export declare function isProblem(error: unknown, code: ProblemCode): error is Problem;
/** There was no response, or not all of it. The cause says why. */
export declare class NetworkError extends Error {
    readonly name = "NetworkError";
}
/** The server sent what the contract does not have. */
export declare class ProtocolError extends Error {
    readonly name = "ProtocolError";
}
/** What If-None-Match names is still current. */
export declare class NotModified extends Error {
    readonly name = "NotModified";
    constructor();
}
/** A stream had nothing (more) to tell. */
export declare class NoAnswer extends Error {
    readonly name = "NoAnswer";
    constructor();
}
/** The event that ended an answer for which askAI waited. */
export declare class Failed extends Error {
    readonly name = "Failed";
    readonly aiResponseId: string;
    readonly code: AIFailureCode;
    readonly detail: string;
    /** Whether asking again may succeed. */
    readonly retryable: boolean;
    constructor(event: FailedEvent);
}
/** Reads the problem that a response is. */
export declare function readProblem(response: Response): Promise<Problem>;
/** The media type of a response, without parameters. */
export declare function mediaType(response: Response): string;
