/** How far the time of a delivery may be from this computer's, in seconds. */
const tolerance = 300;

/** What a delivery says. */
export interface WebhookEvent {
  /** The same in every attempt: ignore what you have had. */
  id: string;
  type: string;
  timestamp: string;
  /** The event, as the webhook's payload has it. */
  data: unknown;
}

/** A request is not a delivery by the server, or an old one. */
export class WebhookError extends Error {
  override readonly name = 'WebhookError';

  constructor() {
    super('not a genuine webhook delivery');
  }
}

/** The headers of a request, as fetch or Node.js has them. */
export type WebhookHeaders = Headers | Record<string, string | string[] | undefined>;

/**
 * Checks that the server has sent a request to a webhook with that secret (whsec_…) within the last 5 minutes, and returns what
 * it says. The body is the request's as it came, before it is parsed. While the secret is being replaced, either one will do.
 * Rejects with a WebhookError.
 */
export async function verifyWebhook(
  secret: string, headers: WebhookHeaders, body: string | Uint8Array, now: number = Date.now(),
): Promise<WebhookEvent> {
  const id = read(headers, 'webhook-id');
  const timestamp = read(headers, 'webhook-timestamp');
  if (!id || !/^\d{1,12}$/.test(timestamp) || Math.abs(now / 1000 - Number(timestamp)) > tolerance) {
    throw new WebhookError();
  }
  const text = typeof body === 'string' ? body : new TextDecoder().decode(body);
  const signed = new TextEncoder().encode(`${id}.${timestamp}.${text}`);
  const key = await crypto.subtle.importKey(
    'raw', decode(secret.replace(/^whsec_/, '')), { name: 'HMAC', hash: 'SHA-256' }, false, ['verify'],
  );
  for (const signature of read(headers, 'webhook-signature').split(' ')) {
    if (signature.startsWith('v1,') && (await isGenuine(key, signature.slice(3), signed))) {
      const { type, timestamp, data } = JSON.parse(text);
      return { id, type, timestamp, data };
    }
  }
  throw new WebhookError();
}

function read(headers: WebhookHeaders, name: string): string {
  if (headers instanceof Headers) {
    return headers.get(name) ?? '';
  }
  const found = Object.keys(headers).find((key) => key.toLowerCase() === name);
  const value = found === undefined ? undefined : headers[found];
  return (Array.isArray(value) ? value[0] : value) ?? '';
}

/** Web Crypto compares in constant time. */
async function isGenuine(key: CryptoKey, signature: string, signed: Uint8Array<ArrayBuffer>): Promise<boolean> {
  try {
    return await crypto.subtle.verify('HMAC', key, decode(signature), signed);
  } catch {
    return false; // What is no base64 is no signature.
  }
}

function decode(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
