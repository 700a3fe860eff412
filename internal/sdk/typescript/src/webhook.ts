/** How far the timestamp of a delivery may differ from the local clock, in seconds. */
const tolerance = 300;

/** The contents of a delivery. */
export interface WebhookEvent {
  /** Identifies the event. It is the same in every attempt: ignore events that you have processed. */
  id: string;
  type: string;
  timestamp: string;
  /** The event, thin or full, as the webhook is configured. */
  data: unknown;
}

/** The request is not a delivery of the server, or it is too old. */
export class WebhookError extends Error {
  override readonly name = 'WebhookError';

  constructor() {
    super('not a genuine webhook delivery');
  }
}

/** The headers of a request, as a fetch Headers object or as Node.js provides them. */
export type WebhookHeaders = Pick<Headers, 'get'> | Record<string, string | string[] | undefined>;

/**
 * Checks that the server sent this request to the webhook with this secret (whsec_…) within the last 5 minutes, and returns
 * its contents. Pass the raw body, as received. While a secret is being rotated, both secrets are valid. Rejects with a
 * WebhookError, and with a TypeError when the secret is not one or the body has already been parsed.
 */
export async function verifyWebhook(
  secret: string, headers: WebhookHeaders, body: string | Uint8Array | ArrayBuffer, now: number = Date.now(),
): Promise<WebhookEvent> {
  const secretBytes = decodeSecret(secret);
  const text = readRaw(body);
  const id = read(headers, 'webhook-id');
  const timestamp = read(headers, 'webhook-timestamp');
  if (!id || !/^\d{1,12}$/.test(timestamp) || Math.abs(now / 1000 - Number(timestamp)) > tolerance) {
    throw new WebhookError();
  }
  const signed = new TextEncoder().encode(`${id}.${timestamp}.${text}`);
  const key = await crypto.subtle.importKey(
    'raw', secretBytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['verify'],
  );
  for (const signature of read(headers, 'webhook-signature').split(' ')) {
    if (signature.startsWith('v1,') && (await isGenuine(key, signature.slice(3), signed))) {
      const { type, timestamp, data } = JSON.parse(text);
      return { id, type, timestamp, data };
    }
  }
  throw new WebhookError();
}

/** An empty key would accept what anybody signs. */
function decodeSecret(secret: unknown): Uint8Array<ArrayBuffer> {
  try {
    const bytes = decode(String(secret ?? '').replace(/^whsec_/, ''));
    if (bytes.length > 0) {
      return bytes;
    }
  } catch {
    // It is not base64.
  }
  throw new TypeError("the webhook's secret must have the form whsec_…");
}

function readRaw(body: unknown): string {
  if (typeof body === 'string') {
    return body;
  }
  if (body instanceof ArrayBuffer || ArrayBuffer.isView(body)) {
    return new TextDecoder().decode(body);
  }
  throw new TypeError('the body must be the raw one, a string or bytes: verify it before you parse it');
}

function read(headers: WebhookHeaders, name: string): string {
  if (isFetchHeaders(headers)) {
    return headers.get(name) ?? '';
  }
  const found = Object.keys(headers).find((key) => key.toLowerCase() === name);
  const value = found === undefined ? undefined : headers[found];
  return (Array.isArray(value) ? value[0] : value) ?? '';
}

/** Frameworks, polyfills and test environments have Headers classes of their own. */
function isFetchHeaders(headers: WebhookHeaders): headers is Pick<Headers, 'get'> {
  return typeof headers.get === 'function';
}

/** Checks one signature. Web Crypto compares in constant time. */
async function isGenuine(key: CryptoKey, signature: string, signed: Uint8Array<ArrayBuffer>): Promise<boolean> {
  try {
    return await crypto.subtle.verify('HMAC', key, decode(signature), signed);
  } catch {
    return false; // The signature is not base64.
  }
}

function decode(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
