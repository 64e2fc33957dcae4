import { expect, test } from 'vitest';
import { comparison, everything, queryOf } from './filter';

const now = Date.parse('2026-11-22T06:00:00Z');

test('the last days end after this moment, so that nothing of now is missing', () => {
  expect(queryOf({ ...everything, period: 'day' }, now, 'UTC'))
    .toEqual({ from: '2026-11-21T06:01:00.000Z', to: '2026-11-22T06:01:00.000Z' });
});

test('a range of days is taken in the zone of the organization, the last day with it', () => {
  const range = {
    ...everything, period: 'range' as const, first: '2026-11-20', last: '2026-11-21',
  };
  expect(queryOf(range, now, 'Asia/Tokyo'))
    .toEqual({ from: '2026-11-19T15:00:00.000Z', to: '2026-11-21T15:00:00.000Z' });
  expect(queryOf({ ...range, last: '' }, now, 'UTC')).toBeUndefined();
  expect(queryOf({ ...range, last: '2026-11-19' }, now, 'UTC')).toBeUndefined();
});

test('only what was filled in is asked for', () => {
  const query = queryOf({ ...everything, actor: ' admin ', category: 'users' }, now, 'UTC');
  expect(query).toMatchObject({ actor: 'admin', categories: 'users' });
  expect(query).not.toHaveProperty('target');
  expect(query).not.toHaveProperty('cluster_id');
});

test('before and after are compared field by field', () => {
  const before = { role: 'full_admin', days: ['monday'] };
  expect(comparison(before, { role: 'read_only_admin', on: true })).toEqual([
    { field: 'role', before: 'full_admin', after: 'read_only_admin' },
    { field: 'days', before: '["monday"]', after: '' },
    { field: 'on', before: '', after: 'true' },
  ]);
  expect(comparison(undefined, undefined)).toEqual([]);
});
