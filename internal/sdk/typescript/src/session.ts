import type { AccessToken } from './api/types.gen.js';

/** The tokens of a session, such as those that logIn returns. */
export type Tokens = Partial<AccessToken>;

/** Changes the tokens of a session. Undefined means no session. */
export type TokensChange = (stored: Tokens | undefined) => Tokens | undefined | Promise<Tokens | undefined>;

/**
 * Keeps the tokens of one session, such as in a browser's storage or in a database. Several SDKs, tabs and processes can
 * share one session through a store.
 */
export interface SessionStore {
  /** Returns the stored tokens. The SDK calls it for every request, so that it sees tokens that others store. */
  load(): Tokens | undefined | Promise<Tokens | undefined>;
  /**
   * Calls change with the stored tokens and stores what it returns. A refresh token is for one use, so update must hold a
   * lock that everyone who shares the session takes, from before it reads the tokens until the new ones are stored. When
   * change throws, update stores nothing and throws the same error.
   *
   * The SDK calls it when the server refuses the access token. If the refused token has already been replaced, change returns
   * the stored tokens; otherwise it sends a request, which takes at most two minutes.
   */
  update(change: TokensChange): Promise<void>;
}

/** The part of a browser's Storage that browserSession uses. */
export interface Items {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
  removeItem(name: string): void;
}

/** Keeps a session in memory for one SDK, and passes new tokens to the callback. */
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
    // The old refresh token is used up, so the new one is kept even when the callback throws.
    this.#tokens = { ...this.#tokens, refresh_token: next.refresh_token ?? '' };
    await this.keep?.(next as AccessToken);
    this.#tokens = next;
  }
}

/**
 * Keeps a session for all tabs of a browser, in localStorage or in the storage that you pass. The name is that of the stored
 * item and of the lock that a refresh holds. Pages loaded over plain HTTP have no locks; there, a tab whose refresh is
 * refused takes the tokens that another tab has stored.
 */
export function browserSession(name = 'support-session', storage?: Items): SessionStore {
  const items = (): Items => storage ?? globalThis.localStorage;
  const load = (): Tokens | undefined => {
    try {
      const stored = JSON.parse(items()?.getItem(name) ?? 'null');
      return typeof stored === 'object' && stored !== null ? stored : undefined;
    } catch (error) {
      if (error instanceof SyntaxError) {
        return undefined; // Not an item of this SDK.
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
