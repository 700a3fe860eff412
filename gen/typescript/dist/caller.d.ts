import { type Client } from './api/client/index.js';
import type { AccessToken, AIResponseEvent } from './api/types.gen.js';
import { type Page } from './pages.js';
/** How to set an SDK up. */
export interface SupportOptions {
    /** Where the server is, such as `https://support.example.com`; may have a path. In Node, the default is SUPPORT_BASE_URL. */
    baseUrl?: string;
    /** The access token. In Node, the default is SUPPORT_TOKEN. */
    token?: string;
    /** Lets an access token that has ended be replaced. A refresh token is for one use: keepTokens gets the next one. */
    refreshToken?: string;
    /** Is called with each pair of tokens before they are used. */
    keepTokens?: (next: AccessToken) => void | Promise<void>;
    /** How often a request is sent again; 2 by default, 0 is never. */
    retries?: number;
    /** Headers of every request. */
    headers?: Record<string, string>;
    /** What to send requests with, in place of the global fetch. */
    fetch?: typeof fetch;
}
/** What one call has beyond the operation's own arguments. */
export interface CallOptions {
    /** Bounds the call with all its retries. */
    signal?: AbortSignal;
    /** Headers of the request. */
    headers?: Record<string, string>;
    /**
     * The key, in place of a made-up one. With a key that is stored before the request is sent, the request may also be repeated
     * by another process.
     */
    idempotencyKey?: string;
    /** Makes the request depend on the version of what it changes: it is a Problem with the status 412 if that is another. */
    ifMatch?: string;
    /** Makes the call throw NotModified if what is asked for still has that version. */
    ifNoneMatch?: string;
    /** Is called with the headers of the response, which has the ETag. */
    responseHeaders?: (headers: Headers) => void;
}
/** What the contract says about sending an operation. */
export interface Operation {
    /** It takes no token. */
    public?: boolean;
    /** An Idempotency-Key has an effect. */
    takesKey?: boolean;
    /** Repeating it does no harm and gives the same answer. */
    repeatable?: boolean;
}
/** What one request is sent with. */
export interface Attempt {
    client: Client;
    headers: Record<string, string>;
    signal: AbortSignal;
    throwOnError: true;
    fetch: typeof fetch;
}
/** The result of the generated client. Its data is parsed here. */
export interface Sent<T> {
    data?: T;
    response: Response;
}
/** Sends requests: again where that may help, and with a token that is fresh. */
export declare class Caller {
    #private;
    constructor(options: SupportOptions);
    /** Calls an operation whose response is JSON. */
    call<T>(operation: Operation, options: CallOptions, send: (attempt: Attempt) => Promise<Sent<T>>): Promise<T>;
    /** Calls an operation whose response is one page of a list. */
    callPage<T>(operation: Operation, options: CallOptions, send: (attempt: Attempt) => Promise<Sent<T[]>>): Promise<Page<T>>;
    /** Calls an operation whose response has no body. */
    run(operation: Operation, options: CallOptions, send: (attempt: Attempt) => Promise<Sent<unknown>>): Promise<void>;
    /** Reads the events of a stream. */
    stream(operation: Operation, options: CallOptions, send: (attempt: Attempt) => Promise<Sent<unknown>>): AsyncGenerator<AIResponseEvent, void, undefined>;
}
