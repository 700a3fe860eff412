import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProtocolError } from '../src/errors.js';
import { items, readPage } from '../src/pages.js';

test('the next page is the one of its link', () => {
  const links = '</tickets?cursor=a>; rel="prev", </tickets?limit=2&cursor=b>; rel="next"';
  assert.deepEqual(readPage([1], new Headers({ Link: links })), { items: [1], next: 'b' });
  assert.deepEqual(readPage([1], new Headers()), { items: [1] });
  assert.throws(() => readPage([1], new Headers({ Link: '</tickets>; rel="next"' })), ProtocolError);
});

test('a page that is its own next one ends the list', async () => {
  const all: number[] = [];
  await assert.rejects(async () => {
    for await (const item of items(async () => ({ items: [1], next: 'a' }))) {
      all.push(item);
    }
  }, ProtocolError);
  assert.deepEqual(all, [1]);
});
