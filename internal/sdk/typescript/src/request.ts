/** What the contract says about an operation. */
export interface Operation {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** The path, with its parameters in braces. */
  path: string;
  /** The operation needs no token. */
  public?: boolean;
  /** The operation accepts an Idempotency-Key. */
  takesKey?: boolean;
  /** The operation may be repeated without harm, with the same result. */
  repeatable?: boolean;
}

/** The arguments of an operation. */
export interface Arguments {
  path?: Record<string, string>;
  query?: object;
  body?: unknown;
}

/** A request without its headers. */
export interface Target {
  url: string;
  method: string;
  body: string | undefined;
}

export function readTarget(baseUrl: string, operation: Operation, args: Arguments): Target {
  const path = operation.path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(args.path?.[name] ?? ''));
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(args.query ?? {})) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null) {
        query.append(name, String(one));
      }
    }
  }
  return {
    url: baseUrl + path + (query.size > 0 ? `?${query}` : ''),
    method: operation.method,
    body: args.body === undefined ? undefined : JSON.stringify(args.body),
  };
}
