import { ProtocolError } from './errors.js';

/** One page of a list. */
export interface Page<T> {
  items: T[];
  /** The cursor of the next page. The last page has none. */
  next?: string;
}

/** Iterates over the items of all pages, and fetches each page when it is needed. */
export async function* items<T>(page: (cursor?: string) => Promise<Page<T>>): AsyncGenerator<T, void, undefined> {
  let cursor: string | undefined;
  do {
    const current = await page(cursor);
    if (current.next !== undefined && current.next === cursor) {
      throw new ProtocolError('the link to the next page leads to the same page');
    }
    yield* current.items;
    cursor = current.next;
  } while (cursor !== undefined);
}

/**
 * Reads the cursor from the link to the next page (RFC 8288). The SDK does not follow the link itself: behind a proxy it may
 * not be below the base URL, and the token must go nowhere else.
 */
export function readPage<T>(list: T[], headers: Headers): Page<T> {
  for (const [, target = '', params = ''] of (headers.get('Link') ?? '').matchAll(/<([^>]*)>([^<]*)/g)) {
    if (!params.includes('rel="next"')) {
      continue;
    }
    const next = new URLSearchParams(target.split('?')[1]).get('cursor');
    if (!next) {
      throw new ProtocolError('the link to the next page has no cursor');
    }
    return { items: list, next };
  }
  return { items: list };
}
