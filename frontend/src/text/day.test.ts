import { expect, test } from 'vitest';
import { dayAfter, dayBegins, dayOf } from './day';

test('a day begins when the clocks of the zone say so', () => {
  expect(dayBegins('2026-11-22', 'UTC')?.toISOString()).toBe('2026-11-22T00:00:00.000Z');
  expect(dayBegins('2026-11-22', 'Asia/Tokyo')?.toISOString()).toBe('2026-11-21T15:00:00.000Z');
  expect(dayBegins('2026-07-01', 'America/New_York')?.toISOString())
    .toBe('2026-07-01T04:00:00.000Z');
  expect(dayBegins('2026-03-08', 'America/New_York')?.toISOString())
    .toBe('2026-03-08T05:00:00.000Z');
});

test('what is no day begins never', () => {
  for (const day of ['', '2026-13-01', '22.11.2026']) {
    expect(dayBegins(day, 'UTC')).toBeUndefined();
  }
});

test('days follow each other, also over a year', () => {
  expect(dayAfter('2026-12-31')).toBe('2027-01-01');
  expect(dayOf(Date.parse('2026-11-21T15:00:00Z'), 'Asia/Tokyo')).toBe('2026-11-22');
});
