/** One page of a list. */
export interface Page<T> {
    items: T[];
    /** The cursor of the next page; not there on the last one. */
    next?: string;
}
/** Iterates over the items of all pages, and asks for a page when it is needed. */
export declare function items<T>(page: (cursor?: string) => Promise<Page<T>>): AsyncGenerator<T, void, undefined>;
/**
 * Takes the cursor from the link to the next page (RFC 8288). The link itself is not followed: behind a proxy it need not be
 * below the base URL, and the token goes nowhere else.
 */
export declare function readPage<T>(list: T[], headers: Headers): Page<T>;
