// The servers, the simulator and the accounts of the tests, which ui_test.go provides.
import { test } from 'node:test';
import assert from 'node:assert/strict';

export { test, assert };
export const { servers, control, page, customer, agent } = JSON.parse(process.env.UI_TEST);

export const bearer = (token = customer) => ({ Authorization: `Bearer ${token}` });

export async function call(method, path, { body, token, base = servers[0] } = {}) {
  const response = await fetch(base + path, {
    method,
    headers: { ...bearer(token), ...(body && { 'Content-Type': 'application/json' }) },
    body: body && JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, body: text ? JSON.parse(text) : undefined };
}

export async function newTicket() {
  const { status, body } = await call('POST', '/tickets', { body: { title: 'Twice', description: 'I was charged twice.' } });
  assert.equal(status, 201);
  return body.id;
}

// Sets the AI's answer to a message: its pieces, and the gates that hold it.
export const script = (match, deltas, more = {}) => send('/scripts', { match, deltas, ...more });
export const release = (gate) => send(`/release/${gate}`);
// Makes the owner of the running answer look dead, so that another replica takes it over.
export const expire = (ticket) => send(`/expire/${ticket}`);
export const kill = (replica) => send(`/kill/${replica}`);
export const requests = async (match) => (await (await fetch(`${control}/requests/${match}`)).json()).ends;

async function send(path, body) {
  const response = await fetch(control + path, { method: 'POST', body: body && JSON.stringify(body) });
  assert.equal(response.status, 204, await response.text());
}

export async function history(ticket, api = '/ui/chat') {
  const { status, body } = await call('GET', `${api}/${ticket}/messages`);
  assert.equal(status, 200);
  return body;
}

// Returns the text that a message shows. Before version 7 of the AI SDK, the parts before the last attempt are retracted.
export function shown(message) {
  const attempt = message.parts.findLastIndex((part) => part.type === 'data-attempt');
  return message.parts
    .slice(attempt + 1)
    .map((part) => (part.type === 'text' ? part.text : ''))
    .join('');
}

export async function until(condition, what) {
  for (let i = 0; i < 1000; i++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail(`not within 10 seconds: ${what}`);
}

let count = 0;
// Returns a unique word, by which the simulator recognizes a message.
export const word = () => `question-${process.pid}-${count++}-`;
