import { expect, test } from 'vitest';
import { clockTime, instant, instantInZone, knownZone, relative, weekdayList, weekdayName }
  from './time';

const at = '2026-11-22T18:00:00Z';

test('an instant is shown on the clocks of the cluster', () => {
  expect(instant(at, 'en', 'Asia/Tokyo')).toBe('Mon, Nov 23, 2026, 03:00');
  expect(instant(at, 'ja', 'Asia/Tokyo')).toMatch(/2026年11月23日.*月.*03:00/);
  expect(instantInZone(at, 'en', 'America/Los_Angeles'))
    .toBe('Sun, Nov 22, 2026, 10:00 (America/Los_Angeles)');
  expect(clockTime(at, 'en', 'Australia/Lord_Howe')).toBe('05:00');
});

test('midnight is 00:00 and never 24:00', () => {
  expect(clockTime('2026-11-22T15:00:00Z', 'en', 'Asia/Tokyo')).toBe('00:00');
  expect(clockTime('2026-11-22T15:00:00Z', 'ja', 'Asia/Tokyo')).toBe('00:00');
});

test('a zone that the browser does not know is shown in UTC, and says so', () => {
  expect(knownZone('Mars/Olympus')).toBe('UTC');
  expect(instantInZone(at, 'en', 'Mars/Olympus')).toContain('18:00 (UTC)');
});

test('distances are told in the largest unit that fits', () => {
  const now = Date.parse(at);
  expect(relative('2026-11-22T23:30:00Z', now, 'en')).toBe('in 5 hours');
  expect(relative('2026-11-22T17:59:48Z', now, 'en')).toBe('12 seconds ago');
  expect(relative('2026-11-24T18:00:00Z', now, 'ja')).toBe('明後日');
  expect(relative(at, now, 'en')).toBe('now');
});

test('weekdays are named in the language and listed in the order of the week', () => {
  expect(weekdayName('sunday', 'en', 'long')).toBe('Sunday');
  expect(weekdayName('saturday', 'ja', 'long')).toBe('土曜日');
  expect(weekdayList(['friday', 'monday'], 'en')).toBe('Mon, Fri');
  expect(weekdayList(['friday', 'monday'], 'ja')).toBe('月・金');
});
