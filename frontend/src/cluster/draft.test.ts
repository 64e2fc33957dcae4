import { expect, test } from 'vitest';
import type { Schemas } from '../api/client';
import { weekdays } from '../text/time';
import { changes, checkDraft, draftOf, refusedField, schedulesOf, tidyTime } from './draft';

const daily: Schemas['Schedules'] = {
  zone: 'Asia/Tokyo',
  regular: { time: '03:00', days: [...weekdays], length_minutes: 120 },
  emergency: { time: '03:00', length_minutes: 120 },
};
const zones = ['Asia/Tokyo', 'UTC'];

test('what was loaded and not edited is sent back the same', () => {
  expect(schedulesOf(draftOf(daily))).toEqual(daily);
  const weekly = { ...daily, regular: { ...daily.regular, days: ['monday', 'friday'] } };
  expect(schedulesOf(draftOf(weekly))).toEqual(weekly);
  expect(changes(daily, schedulesOf(draftOf(daily)))).toEqual([]);
});

test('seven days are daily, in whatever order the hub names them', () => {
  const turned = { ...daily, regular: { ...daily.regular, days: [...weekdays].reverse() } };
  expect(draftOf(turned).daily).toBe(true);
  expect(changes(daily, turned)).toEqual([]);
});

test('times are understood as people type them', () => {
  expect(['3:05', '0305', '305', ' 03:05 ', '03:05'].map(tidyTime))
    .toEqual(Array(5).fill('03:05'));
  expect(tidyTime('noon')).toBe('noon');
});

test('what cannot be a schedule is refused before it is sent', () => {
  const draft = draftOf(daily);
  expect(checkDraft(draft, zones)).toEqual({});
  expect(checkDraft({ ...draft, time: '24:00' }, zones)).toEqual({ time: 'timeWrong' });
  expect(checkDraft({ ...draft, emergencyTime: '3:60' }, zones))
    .toEqual({ emergencyTime: 'timeWrong' });
  expect(checkDraft({ ...draft, daily: false, days: [] }, zones)).toEqual({ days: 'daysWrong' });
  expect(checkDraft({ ...draft, zone: 'Tokyo' }, zones)).toEqual({ zone: 'zoneWrong' });
  expect(checkDraft({ ...draft, zone: 'Asia/Tokyo' }, [])).toEqual({});
});

test('a changed setting is named, and an equal one is not', () => {
  const after = { ...daily, zone: 'UTC', emergency: { time: '04:00', length_minutes: 120 } };
  expect(changes(daily, after)).toEqual(['emergencyTime', 'zone']);
});

test('a refusal of the hub finds its field', () => {
  expect(refusedField('regular.days')).toBe('days');
  expect(refusedField('version')).toBeUndefined();
  expect(refusedField(undefined)).toBeUndefined();
});

test('R8 a draft has nothing to switch a schedule off with', () => {
  expect(Object.keys(draftOf(daily)).filter((key) => /enabl|active|off|disabl/i.test(key)))
    .toEqual([]);
});
