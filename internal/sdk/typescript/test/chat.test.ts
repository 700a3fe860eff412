import assert from 'node:assert/strict';
import { test } from 'node:test';
import { standingParts } from '../src/chat.js';

test('standingParts drops the parts before the last attempt', () => {
  const text = (words: string) => ({ type: 'text', text: words });
  const attempt = { type: 'data-attempt', data: { attempt: 2 } };
  assert.deepEqual(standingParts([]), []);
  assert.deepEqual(standingParts([text('a'), text('b')]), [text('a'), text('b')]);
  assert.deepEqual(standingParts([text('a'), attempt, text('b'), attempt, text('c')]), [text('c')]);
  assert.deepEqual(standingParts([text('a'), attempt]), []);
});
