import type { AccessToken } from './api/types.gen.js';
import { Final } from './retry.js';

/** The tokens of a session. */
export class Credentials {
  #running: Promise<string> | undefined;

  constructor(
    private access: string,
    private refresh: string,
    private readonly keep: ((next: AccessToken) => void | Promise<void>) | undefined,
    private readonly exchange: (refreshToken: string) => Promise<AccessToken>,
  ) {}

  get renewable(): boolean {
    return this.refresh !== '';
  }

  /** The access token. It is empty when there is none and no way to get one. */
  async token(signal: AbortSignal): Promise<string> {
    return this.access === '' && this.renewable ? this.renew('', signal) : this.access;
  }

  /**
   * An access token that is newer than the refused one. Callers at the same time share one refresh, which goes on when they
   * leave: its refresh token cannot be used again.
   */
  async renew(refused: string, signal: AbortSignal): Promise<string> {
    if (this.access !== refused) {
      return this.access;
    }
    this.#running ??= this.#renew().finally(() => (this.#running = undefined));
    return unlessAborted(this.#running, signal);
  }

  async #renew(): Promise<string> {
    try {
      const next = await this.exchange(this.refresh);
      this.refresh = next.refresh_token; // Also when it cannot be kept: the one before it is used up.
      await this.keep?.(next);
      this.access = next.access_token;
      return this.access;
    } catch (error) {
      throw new Final(error); // It was retried by itself.
    }
  }
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
    if (signal.aborted) {
      abort();
    }
  });
}
