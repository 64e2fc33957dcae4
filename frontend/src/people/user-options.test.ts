import { expect, test } from 'vitest';
import type { Schemas } from '../api/client';
import { optionsFor } from './user-options';

const all = ['setRole', 'disableUser', 'enableUser', 'resetSecondFactor'];

function person(part: Partial<Schemas['Person']>): Schemas['Person'] {
  return {
    id: '1', email: 'a@b.example', name: 'A', role: 'full_admin', disabled: false, me: false,
    second_factor: false, created_at: '2026-11-22T00:00:00Z', ...part,
  };
}

test('what is offered follows the state of the person', () => {
  expect(optionsFor(person({}), all)).toEqual(['setRole', 'disable']);
  expect(optionsFor(person({ second_factor: true }), all))
    .toEqual(['setRole', 'resetFactor', 'disable']);
  expect(optionsFor(person({ disabled: true }), all)).toEqual(['enable']);
});

test('one does not reset the own second factor here', () => {
  expect(optionsFor(person({ me: true, second_factor: true }), all))
    .toEqual(['setRole', 'disable']);
});

test('nobody is offered what they may not do', () => {
  expect(optionsFor(person({}), ['listUsers'])).toEqual([]);
});
