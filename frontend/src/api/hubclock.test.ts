import { expect, test } from 'vitest';
import { countdown, left, offset } from './hubclock';

test('a countdown follows the clock of the hub, not of this machine', () => {
  const sent = Date.parse('2026-11-22T10:00:00Z');
  const ahead = offset('2026-11-22T12:00:01Z', sent, sent + 2_000);
  expect(ahead).toBe(2 * 3_600_000);
  expect(left('2026-11-22T12:15:00Z', sent + ahead)).toBe(15 * 60_000);
});

test('a countdown begins at 15:00 and ends at 0:00', () => {
  expect(countdown(15 * 60_000)).toBe('15:00');
  expect(countdown(15 * 60_000 - 1)).toBe('15:00');
  expect(countdown(61_000)).toBe('1:01');
  expect(countdown(1)).toBe('0:01');
  expect(countdown(left('2026-11-22T00:00:00Z', Date.parse('2026-11-23T00:00:00Z')))).toBe('0:00');
});
