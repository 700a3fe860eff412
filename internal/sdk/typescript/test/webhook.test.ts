import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verifyWebhook, WebhookError } from '../src/webhook.js';

// The test vector of the reference library.
const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const body = '{"test": 2432232314}';
const signature = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';
const headers = { 'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek', 'webhook-timestamp': '1614265330', 'webhook-signature': signature };
const at = 1_614_265_330_000;

test('verifyWebhook accepts the vector of the reference library', async () => {
  for (const given of [headers, new Headers(headers), { ...headers, 'Webhook-Signature': [`v1,AAAA v2,x ${signature}`], 'webhook-signature': undefined }]) {
    const entries = Object.entries(given).filter(([, value]) => value !== undefined);
    const event = await verifyWebhook(secret, given instanceof Headers ? given : Object.fromEntries(entries), body, at);
    assert.equal(event.id, 'msg_p5jXN8AQM9LWM0D4loKWxJek');
  }
  const bytes = new TextEncoder().encode(body);
  for (const raw of [bytes, bytes.buffer]) {
    await verifyWebhook(secret, headers, raw, at + 299_000);
  }
});

test('verifyWebhook accepts the Headers of another library', async () => {
  await verifyWebhook(secret, { get: (name) => new Map(Object.entries(headers)).get(name) ?? null }, body, at);
});

test('verifyWebhook names a wrong secret and a parsed body', async () => {
  for (const wrong of [undefined, '', 'whsec_', 'not base64']) {
    await assert.rejects(verifyWebhook(wrong as string, headers, body, at), { name: 'TypeError', message: /whsec_/ });
  }
  for (const wrong of [undefined, JSON.parse(body)]) {
    await assert.rejects(verifyWebhook(secret, headers, wrong, at), { name: 'TypeError', message: /raw/ });
  }
});

test('verifyWebhook refuses forgeries and old deliveries', async () => {
  const wrong: [string, Record<string, string>, string, number][] = [
    ['old', headers, body, at + 301_000],
    ['ahead', headers, body, at - 301_000],
    ['another id', { ...headers, 'webhook-id': 'msg_other' }, body, at],
    ['another time', { ...headers, 'webhook-timestamp': '1614265331' }, body, at],
    ['no time', { ...headers, 'webhook-timestamp': 'soon' }, body, at],
    ['another body', headers, `${body} `, at],
    ['no signature', { ...headers, 'webhook-signature': '' }, body, at],
    ['another version', { ...headers, 'webhook-signature': signature.replace('v1', 'v2') }, body, at],
    ['no base64', { ...headers, 'webhook-signature': 'v1,?' }, body, at],
  ];
  for (const [name, given, text, now] of wrong) {
    await assert.rejects(verifyWebhook(secret, given, text, now), WebhookError, name);
  }
});
