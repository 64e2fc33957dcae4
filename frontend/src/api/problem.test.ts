import { expect, test } from 'vitest';
import {
  asksToConfirm, explain, fieldOf, isForbidden, isMissing, isSignedOut, type Problem, Unreachable,
  Unreadable,
} from './problem';

const words = { unreachable: 'away', unexpected: 'odd' };
const problem: Problem = {
  type: '/docs/errors#fqdn_invalid', title: 'fqdn_invalid', status: 422, code: 'fqdn_invalid',
  detail: 'This is not a name.', field: 'fqdn', tracking_id: 't-1',
};

test('the words of the hub are shown as they are', () => {
  expect(explain(problem, words)).toEqual({ sentence: 'This is not a name.', field: 'fqdn' });
});

test('a failure of the hub comes with its tracking ID', () => {
  const failed = { ...problem, status: 500, field: undefined };
  expect(explain(failed, words)).toEqual({ sentence: 'This is not a name.', trackingId: 't-1' });
});

test('an empty sentence is never shown', () => {
  expect(explain({ ...problem, detail: ' ' }, words).sentence).toBe('odd');
});

test('no raw error is ever shown', () => {
  const raw = [new TypeError('x is undefined'), 'boom', undefined, null, { detail: 7 }, 404];
  for (const error of raw) expect(explain(error, words)).toEqual({ sentence: 'odd' });
  expect(explain(new Unreachable(), words)).toEqual({ sentence: 'away' });
  expect(explain(new Unreadable(502, 'p-9'), words))
    .toEqual({ sentence: 'odd', trackingId: 'p-9' });
});

test('a field is found however the hub writes its path', () => {
  for (const field of ['schedules.regular.time', '/schedules/regular/time', 'regular.time']) {
    expect(fieldOf({ ...problem, field })).toBe('regular.time');
  }
});

test('a missing session and a missing thing are told apart', () => {
  expect(isSignedOut({ ...problem, status: 401, code: 'signed_out' })).toBe(true);
  expect(isSignedOut({ ...problem, status: 401, code: 'wrong_credentials' })).toBe(false);
  expect(isSignedOut(new Unreadable(401, undefined))).toBe(true);
  expect(isSignedOut({ ...problem, status: 404 })).toBe(false);
  expect(isMissing({ ...problem, status: 404 })).toBe(true);
  expect(isMissing(new Unreachable())).toBe(false);
});

test('to sign in again is no refusal for ever', () => {
  const again = { ...problem, status: 403, code: 'step_up_required' };
  expect(asksToConfirm(again)).toBe(true);
  expect(isForbidden(again)).toBe(false);
  expect(isForbidden({ ...problem, status: 403, code: 'forbidden' })).toBe(true);
  expect(asksToConfirm(undefined)).toBe(false);
});
