import { expect, test } from 'vitest';
import { problemIn } from './problem-of-address';

test('the code of a problem is read from the address', () => {
  expect(problemIn('?problem=oidc_unknown_user')).toBe('oidc_unknown_user');
  expect(problemIn('')).toBeUndefined();
});

test('what cannot be a code is none', () => {
  expect(problemIn('?problem=<b>hello</b>')).toBeUndefined();
  expect(problemIn('?problem=__proto__')).toBeUndefined();
  expect(problemIn(`?problem=${'a'.repeat(65)}`)).toBeUndefined();
});
