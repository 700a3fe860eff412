import type { AccessToken } from './api/types.gen.js';
import { isProblem } from './errors.js';
import { Final } from './retry.js';
import type { SessionStore, Tokens } from './session.js';

/** The result of a renewal. A token that is not fresh came from another tab or process, and may have expired too. */
export interface Renewed {
  token: string;
  fresh: boolean;
}

/** Reads the access token from a session's store, and renews it. */
export class Credentials {
  #running: { refused: string; result: Promise<Renewed> } | undefined;

  constructor(
    private readonly store: SessionStore,
    private readonly exchange: (refreshToken: string) => Promise<AccessToken>,
  ) {}

  /** Returns the access token. Without an access token and a refresh token, it returns an empty string. */
  async token(): Promise<Renewed> {
    const session = await final(async () => this.store.load());
    if (session?.access_token || !session?.refresh_token) {
      return { token: session?.access_token ?? '', fresh: false };
    }
    return this.renew('');
  }

  /**
   * Returns an access token that is newer than the refused one, or an empty one when there is no refresh token. Concurrent
   * callers share one renewal, which continues when they leave, because its refresh token cannot be used again.
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

  /** Exchanges the refresh token. If it has been used, takes the tokens that a tab without locks has stored in the meantime. */
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

/**
 * Marks errors as final, so that the request that needs the token is not retried: a refresh has retries of its own, and a
 * store is the caller's code.
 */
async function final<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new Final(error);
  }
}
