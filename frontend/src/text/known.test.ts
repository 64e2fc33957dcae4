import { expect, test } from 'vitest';
import { known } from './known';

test('only a word of the list is known', () => {
  const words = ['done', 'failed'] as const;
  expect(known(words, 'failed')).toBe('failed');
  expect(known(words, 'toString')).toBeUndefined();
  expect(known(words, '')).toBeUndefined();
});
