import { expect, test } from 'vitest';
import { readFragment } from './fragment';

test('the code is read from the fragment', () => {
  expect(readFragment('#code=abc-123')).toEqual({ code: 'abc-123', denied: false });
});

test('a denial is told from an address that somebody typed', () => {
  expect(readFragment('#denied').denied).toBe(true);
  expect(readFragment('#error=access_denied').denied).toBe(true);
  expect(readFragment('')).toEqual({ denied: false });
});

test('an empty or endless code is no code', () => {
  expect(readFragment('#code=').code).toBeUndefined();
  expect(readFragment(`#code=${'x'.repeat(257)}`).code).toBeUndefined();
});
