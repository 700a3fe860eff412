import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProtocolError } from '../src/errors.js';
import { items, readPage } from '../src/pages.js';

test('the cursor of the next page comes from the Link header', () => {
  const links = '</tickets?cursor=a>; rel="prev", </tickets?limit=2&cursor=b>; rel="next"';
  assert.deepEqual(readPage([1], new Headers({ Link: links })), { items: [1], next: 'b' });
  assert.deepEqual(readPage([1], new Headers()), { items: [1] });
  assert.throws(() => readPage([1], new Headers({ Link: '</tickets>; rel="next"' })), ProtocolError);
});

test('a link to the same page ends the list with an error', async () => {
  const all: number[] = [];
  await assert.rejects(async () => {
    for await (const item of items(async () => ({ items: [1], next: 'a' }))) {
      all.push(item);
    }
  }, ProtocolError);
  assert.deepEqual(all, [1]);
});
