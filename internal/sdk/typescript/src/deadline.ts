/** The callbacks of a signal, and the one listener that calls them. */
interface Followers {
  callbacks: Set<() => void>;
  tell: () => void;
}

const followers = new WeakMap<AbortSignal, Followers>();

/**
 * Calls back when the signal aborts, or immediately if it already has. The returned function cancels that. A signal gets one
 * listener however many calls use it, because Node warns of a leak when there are more than ten.
 */
export function onAbort(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (!signal) {
    return () => undefined;
  }
  if (signal.aborted) {
    callback();
    return () => undefined;
  }
  const { callbacks, tell } = followers.get(signal) ?? follow(signal);
  callbacks.add(callback);
  return () => {
    callbacks.delete(callback);
    if (callbacks.size === 0) {
      followers.delete(signal);
      signal.removeEventListener('abort', tell);
    }
  };
}

function follow(signal: AbortSignal): Followers {
  const callbacks = new Set<() => void>();
  const added = { callbacks, tell: () => callbacks.forEach((callback) => callback()) };
  followers.set(signal, added);
  signal.addEventListener('abort', added.tell, { once: true });
  return added;
}

/**
 * Ends work when a signal aborts or when the work takes too long. A runtime may lose the signal that was passed to fetch, as
 * Node does after a garbage collection, so race also rejects by itself.
 */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #milliseconds: number;
  readonly #unfollow: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #reject: ((reason: unknown) => void) | undefined;

  constructor(milliseconds: number, outer: AbortSignal | undefined) {
    this.#milliseconds = milliseconds;
    this.#unfollow = onAbort(outer, () => this.#abort(outer?.reason));
    this.start();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Restarts the timer. */
  start(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#abort(new DOMException(`no data for ${this.#milliseconds} ms`, 'TimeoutError'));
    }, this.#milliseconds);
  }

  /** Stops the timer. */
  pause(): void {
    clearTimeout(this.#timer);
  }

  /** Stops the timer and releases the outer signal. */
  end(): void {
    this.pause();
    this.#unfollow();
  }

  /** Waits for the work, and rejects if the deadline passes first. Only one race may run at a time. */
  race<T>(work: PromiseLike<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      work.then(resolve, reject);
      if (this.signal.aborted) {
        reject(this.signal.reason);
      }
    });
  }

  #abort(reason: unknown): void {
    this.#controller.abort(reason);
    this.#reject?.(this.signal.reason);
  }
}

export function wait(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    let unfollow = () => {};
    // Timers may fire a moment early: wait at least as long as the server asks.
    const timer = setTimeout(() => {
      unfollow();
      resolve();
    }, Math.ceil(milliseconds) + 1);
    unfollow = onAbort(signal, () => {
      clearTimeout(timer);
      reject(signal?.reason);
    });
  });
}
