import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isProblem, readProblem } from '../src/errors.js';
import { mayHelp, pauseAfter } from '../src/retry.js';

test('the message of a problem', () => {
  const document = {
    type: '/problems/validation_failed', code: 'validation_failed', status: 422, title: 'Validation failed',
    detail: 'The body breaks a rule.', request_id: '0199d3c6', errors: [{ pointer: '/title', code: 'too_long' }],
  };
  const headers = new Headers({ 'Content-Type': 'application/problem+json; charset=utf-8' });
  const problem = readProblem({ status: 422, headers }, JSON.stringify(document));
  assert.ok(isProblem(problem, 'validation_failed'));
  assert.equal(
    problem.message,
    '422 validation_failed: Validation failed: The body breaks a rule; /title too_long (request 0199d3c6)',
  );
  assert.equal(mayHelp(problem, undefined), false);
});

test('a response of a proxy has a status and no code', () => {
  const problem = readProblem({ status: 502, headers: new Headers({ 'Retry-After': '7' }) }, '<html>');
  assert.equal(problem.code, '');
  assert.equal(mayHelp(problem, undefined), true);
  assert.equal(pauseAfter(problem, 500, 0), 7000);
});

test('a pause doubles up to a limit, plus up to a quarter', () => {
  for (const [n, least] of [[0, 500], [3, 4000], [20, 30_000]] as const) {
    const pause = pauseAfter(undefined, 500, n);
    assert.ok(pause >= least && pause <= least * 1.25, `${pause}`);
  }
});
