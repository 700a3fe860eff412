import type { AccessToken } from './api/types.gen.js';
import { isProblem } from './errors.js';
import { Final } from './retry.js';
import type { SessionStore, Tokens } from './session.js';

/** The result of a renewal. A token that is not fresh is one that somebody else got, and may have ended too. */
export interface Renewed {
  token: string;
  fresh: boolean;
}

/** The access token, from the store of a session. */
export class Credentials {
  #running: { refused: string; result: Promise<Renewed> } | undefined;

  constructor(
    private readonly store: SessionStore,
    private readonly exchange: (refreshToken: string) => Promise<AccessToken>,
  ) {}

  /** The access token. It is empty when there is none and no way to get one. */
  async token(): Promise<Renewed> {
    const session = await final(async () => this.store.load());
    if (session?.access_token || !session?.refresh_token) {
      return { token: session?.access_token ?? '', fresh: false };
    }
    return this.renew('');
  }

  /**
   * An access token that is newer than the refused one, or an empty one when there is no way to get it. Callers at the same
   * time share one renewal, which goes on when they leave: its refresh token cannot be used again.
   */
  renew(refused: string): Promise<Renewed> {
    if (this.#running?.refused !== refused) {
      const result = final(() => this.#renew(refused)).finally(() => {
        if (this.#running === running) {
          this.#running = undefined;
        }
      });
      const running = { refused, result };
      this.#running = running;
    }
    return this.#running!.result;
  }

  async #renew(refused: string): Promise<Renewed> {
    const renewed = { token: '', fresh: false };
    await this.store.update(async (stored) => {
      if (stored?.access_token && stored.access_token !== refused) {
        renewed.token = stored.access_token;
        return stored;
      }
      if (!stored?.refresh_token) {
        return stored;
      }
      const next = await this.#refresh(stored, stored.refresh_token);
      renewed.token = next.access_token ?? '';
      renewed.fresh = true;
      return next;
    });
    return renewed;
  }

  /** Exchanges the refresh token, or takes what somebody without the lock has got for it meanwhile. */
  async #refresh(stored: Tokens, refreshToken: string): Promise<Tokens> {
    try {
      return await this.exchange(refreshToken);
    } catch (error) {
      const now = isProblem(error, 'invalid_token') || isProblem(error, 'token_reuse') ? await this.store.load() : undefined;
      if (now?.access_token && now.access_token !== stored.access_token) {
        return now;
      }
      throw error;
    }
  }
}

/** Does what is not tried again with the request that needs it: a refresh is tried again by itself, and a store is the caller's. */
async function final<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new Final(error);
  }
}
