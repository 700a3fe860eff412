import { ProtocolError } from './errors.js';

/** One page of a list. */
export interface Page<T> {
  items: T[];
  /** The cursor of the next page; not there on the last one. */
  next?: string;
}

/** Iterates over the items of all pages, and asks for a page when it is needed. */
export async function* items<T>(page: (cursor?: string) => Promise<Page<T>>): AsyncGenerator<T, void, undefined> {
  let cursor: string | undefined;
  do {
    const current = await page(cursor);
    if (current.next !== undefined && current.next === cursor) {
      throw new ProtocolError('a page that is its own next one');
    }
    yield* current.items;
    cursor = current.next;
  } while (cursor !== undefined);
}

/**
 * Takes the cursor from the link to the next page (RFC 8288). The link itself is not followed: behind a proxy it need not be
 * below the base URL, and the token goes nowhere else.
 */
export function readPage<T>(list: T[], headers: Headers): Page<T> {
  for (const [, target = '', params = ''] of (headers.get('Link') ?? '').matchAll(/<([^>]*)>([^<]*)/g)) {
    if (!params.includes('rel="next"')) {
      continue;
    }
    const next = new URLSearchParams(target.split('?')[1]).get('cursor');
    if (!next) {
      throw new ProtocolError('a link to the next page without a cursor');
    }
    return { items: list, next };
  }
  return { items: list };
}
