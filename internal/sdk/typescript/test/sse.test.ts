import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProtocolError } from '../src/errors.js';
import { EventDecoder, type Frame } from '../src/sse.js';

const lines = ['\ufeff: a comment', 'retry: 250', 'id: a:4:2', 'event: reset', 'data: Grüß', 'data:👋', '', 'event: none', '', 'data', '', 'data: cut'];
const frames: Frame[] = [
  { id: 'a:4:2', name: 'reset', data: 'Grüß\n👋' },
  { id: '', name: '', data: '' },
];

for (const [name, end] of [['LF', '\n'], ['CRLF', '\r\n'], ['CR', '\r']] as const) {
  test(`events decode the same with ${name}, as a whole and byte by byte`, () => {
    const bytes = new TextEncoder().encode(lines.join(end));
    const whole = new EventDecoder();
    assert.deepEqual([...whole.push(bytes)], frames);
    assert.equal(whole.retry, 250);
    const decoder = new EventDecoder();
    assert.deepEqual(Array.from(bytes).flatMap((byte) => [...decoder.push(Uint8Array.of(byte))]), frames);
  });
}

test('lines and events have a maximum length', () => {
  const half = 'x'.repeat(1 << 19);
  for (const stream of [`data: ${half}${half}`, `data: ${half}\n`.repeat(3)]) {
    assert.throws(() => [...new EventDecoder().push(new TextEncoder().encode(stream))], ProtocolError);
  }
});
