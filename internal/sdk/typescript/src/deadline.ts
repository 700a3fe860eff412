/** Who wants to know when a signal aborts, and the one listener that tells them. */
interface Followers {
  callbacks: Set<() => void>;
  tell: () => void;
}

const followers = new WeakMap<AbortSignal, Followers>();

/**
 * Calls back when the signal aborts, or now if it has, until the returned function is called. A signal has one listener
 * however many calls it is given to, because Node warns of a leak when there are more than ten.
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
 * Ends a piece of work when a signal aborts, or when the work takes too long. A runtime may forget the signal that fetch was
 * given, as Node does after a garbage collection, so what is waited for is raced with it.
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

  /** Begins to count the time again. */
  start(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#abort(new DOMException(`nothing for ${this.#milliseconds} ms`, 'TimeoutError'));
    }, this.#milliseconds);
  }

  /** Stops counting the time. */
  pause(): void {
    clearTimeout(this.#timer);
  }

  /** Stops counting the time, and releases the other signal. */
  end(): void {
    this.pause();
    this.#unfollow();
  }

  /** Waits for what is under way, unless the deadline passes first. One thing at a time can be waited for. */
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
    // A timer that fires a moment early would come back before it is asked to.
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
