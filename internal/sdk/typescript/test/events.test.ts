import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeskEvent } from '../src/api/types.gen.js';
import { isProblem, NetworkError, Problem } from '../src/errors.js';
import { followEvents } from '../src/events.js';

function eventAt(position: number): DeskEvent {
  return {
    position, type: 'ticket.created', schema_version: '2026-11-26', occurred_at: '2026-11-26T09:00:00.000000Z',
    actor: { kind: 'customer' }, data: {},
  };
}

test('followEvents continues after failures and ends when its position has expired', async () => {
  const asked: [number | undefined, number][] = [];
  const outages: unknown[] = [];
  const answers = [
    () => ({ events: [eventAt(1), eventAt(2)], position: 2, head: 2 }),
    () => { throw new NetworkError('cut'); },
    () => { throw new NetworkError('still cut'); },
    () => ({ events: [], position: 7, head: 7 }),
    () => ({ events: [eventAt(8)], position: 8, head: 8 }),
    () => {
      throw new Problem({ status: 410, headers: new Headers() }, {
        type: '/problems/position_expired', title: 'Position expired', status: 410, code: 'position_expired', request_id: '12345678',
      });
    },
  ];
  const support = {
    listEvents: async (params: { after?: number; wait: number }) => {
      asked.push([params.after, params.wait]);
      return answers.shift()!();
    },
  };
  const positions: number[] = [];
  await assert.rejects(async () => {
    for await (const event of followEvents(support, {}, { onOutage: (error) => outages.push(error) })) {
      positions.push(event.position);
    }
  }, (error) => isProblem(error, 'position_expired'));
  assert.deepEqual(positions, [1, 2, 8]);
  assert.deepEqual(asked, [[undefined, 20], [2, 20], [2, 0], [2, 0], [7, 20], [8, 20]]);
  assert.deepEqual(outages.map((error) => error instanceof NetworkError && error.message), ['cut', false]);
});

test('followEvents throws errors of the program immediately', { timeout: 10_000 }, async () => {
  const support = {
    listEvents: async () => {
      throw new TypeError('the session store is broken');
    },
  };
  await assert.rejects(followEvents(support).next(), TypeError);
});
