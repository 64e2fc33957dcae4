import { expect, test } from 'vitest';
import { browserOf } from './browser';

test('a browser and its system are told by their names', () => {
  expect(browserOf('Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) '
    + 'Chrome/140.0.0.0 Safari/537.36')).toBe('Chrome · Linux');
  expect(browserOf('Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 '
    + 'Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0')).toBe('Edge · Windows');
  expect(browserOf('Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 '
    + 'Version/19.0 Safari/605.1.15')).toBe('Safari · macOS');
});

test('what is no browser has no name', () => {
  expect(browserOf('curl/8.5.0')).toBeUndefined();
  expect(browserOf('')).toBeUndefined();
});
