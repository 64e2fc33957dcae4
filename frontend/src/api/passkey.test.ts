import { expect, test } from 'vitest';
import { makePasskey, PasskeyFailure, presentPasskey, reasonOf } from './passkey';

test('what the browser throws has a reason that a sentence belongs to', () => {
  const named = (name: string) => Object.assign(new Error('raw text'), { name });
  expect(reasonOf(named('NotAllowedError'))).toBe('cancelled');
  expect(reasonOf(named('AbortError'))).toBe('cancelled');
  expect(reasonOf(named('InvalidStateError'))).toBe('already');
  expect(reasonOf(named('NotSupportedError'))).toBe('unsupported');
  expect(reasonOf(named('SecurityError'))).toBe('failed');
  expect(reasonOf(undefined)).toBe('failed');
});

test('a browser without passkeys says so', async () => {
  await expect(presentPasskey({})).rejects.toEqual(new PasskeyFailure('unsupported'));
  await expect(makePasskey({})).rejects.toEqual(new PasskeyFailure('unsupported'));
});
