import { expect, test } from 'vitest';
import { tokenIn } from './invitation-token';

test('the token of an invitation is read from the fragment', () => {
  expect(tokenIn('#abc_DEF-123')).toBe('abc_DEF-123');
  expect(tokenIn('#token=abc')).toBe('abc');
});

test('what cannot be a token is none', () => {
  expect(tokenIn('')).toBeUndefined();
  expect(tokenIn('#<img src=x>')).toBeUndefined();
  expect(tokenIn(`#${'x'.repeat(257)}`)).toBeUndefined();
});
