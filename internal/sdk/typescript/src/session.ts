import type { AccessToken } from './api/types.gen.js';

/** The tokens of a session, such as those that logIn returned. */
export type Tokens = Partial<AccessToken>;

/** Changes the tokens of a session; undefined is no session. */
export type TokensChange = (stored: Tokens | undefined) => Tokens | undefined | Promise<Tokens | undefined>;

/**
 * Keeps the tokens of one session: in a browser's storage, in a row of a database. Several SDKs, tabs and processes may share
 * one session through their stores.
 */
export interface SessionStore {
  /** Returns the tokens that are stored. The SDK calls it for every request, so that it follows what others store. */
  load(): Tokens | undefined | Promise<Tokens | undefined>;
  /**
   * Calls change with the tokens that are stored, stores those that it returns, and returns after they are stored. It must
   * hold a lock that everybody who shares the session takes, from before it reads the tokens until it returns: a refresh token
   * is for one use. When change throws, it stores nothing and throws the same.
   *
   * The SDK calls it when the server refuses the access token. Change returns the tokens as they are when somebody else has
   * replaced the refused one; otherwise it sends a request, within two minutes.
   */
  update(change: TokensChange): Promise<void>;
}

/** What of a browser's Storage is used. */
export interface Items {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
  removeItem(name: string): void;
}

/** Keeps a session for one SDK, and tells its caller. */
export class MemorySession implements SessionStore {
  #tokens: Tokens;

  constructor(
    token: string,
    refreshToken: string,
    private readonly keep: ((next: AccessToken) => void | Promise<void>) | undefined,
  ) {
    this.#tokens = { access_token: token, refresh_token: refreshToken };
  }

  load(): Tokens {
    return this.#tokens;
  }

  async update(change: TokensChange): Promise<void> {
    const next = await change(this.#tokens);
    if (!next || next === this.#tokens) {
      return;
    }
    // Also when it cannot be kept: the refresh token before it is used up.
    this.#tokens = { ...this.#tokens, refresh_token: next.refresh_token ?? '' };
    await this.keep?.(next as AccessToken);
    this.#tokens = next;
  }
}

/**
 * Keeps a session in the browser, for all its tabs: in localStorage, or in another storage. Its name is that of the stored item
 * and of the lock that is held while the session is refreshed. Pages that came by plain HTTP have no locks; there, tabs that
 * refresh at the same time take what another one has stored.
 */
export function browserSession(name = 'support-session', storage?: Items): SessionStore {
  const items = (): Items => storage ?? globalThis.localStorage;
  const load = (): Tokens | undefined => {
    try {
      const stored = JSON.parse(items()?.getItem(name) ?? 'null');
      return typeof stored === 'object' && stored !== null ? stored : undefined;
    } catch (error) {
      if (error instanceof SyntaxError) {
        return undefined; // Another program's.
      }
      throw error;
    }
  };
  const update = async (change: TokensChange): Promise<void> => {
    const stored = load();
    const next = await change(stored);
    if (!next) {
      items().removeItem(name);
    } else if (next !== stored) {
      items().setItem(name, JSON.stringify(next));
    }
  };
  return {
    load,
    update: async (change) => {
      const locks = globalThis.navigator?.locks;
      await (locks ? locks.request(name, () => update(change)) : update(change));
    },
  };
}
