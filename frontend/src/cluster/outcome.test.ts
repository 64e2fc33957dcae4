import { expect, test } from 'vitest';
import page from '../../../docs/control-errors.md?raw';
import en, { type Outcomes } from '../i18n/outcomes-en';
import ja from '../i18n/outcomes-ja';
import { sentence } from './outcome';

/** The codes in a part of the page that the control node's own test writes. */
function codes(part: string): string[] {
  const [, text] = page.split(`## ${part}\n`);
  return [...(text?.split('\n## ')[0] ?? '').matchAll(/^\| `(\w+)` \|/gm)].map((m) => m[1] ?? '');
}

const parts = ['Connection test', 'Lines of authorized_keys', 'Procedures', 'VOS machines'];

test.each(parts)('every code of “%s” has a sentence in both languages', (part) => {
  const all = codes(part).map((code) => (code === 'exit_' ? 'exit_1603' : code));
  expect(all.length).toBeGreaterThan(10);
  for (const code of all) {
    expect(sentence(code, 'en'), code).not.toMatch(/no words for|[{}]/);
    expect(sentence(code, 'ja'), code).not.toMatch(/説明のない|[{}]/);
  }
});

test('no sentence is left over, and Japanese ones are Japanese', () => {
  const listed = new Set([...parts.flatMap(codes), 'unlisted', 'other', 'exit']);
  for (const code of Object.keys(en)) {
    expect(listed.has(code), code).toBe(true);
    expect(ja[code as keyof Outcomes], code).toMatch(/[\u3040-\u30ff\u4e00-\u9fff]/);
  }
});

test('an exit code is named, and so is a code that nobody here knows', () => {
  expect(sentence('exit_1619', 'en')).toContain('1619');
  expect(sentence('exit_1619', 'ja')).toContain('1619');
  for (const code of ['exit_', 'of_a_newer_node', 'toString', '$&']) {
    expect(sentence(code, 'en')).toBe(en.unlisted.replace('{{code}}', () => code));
    expect(sentence(code, 'ja')).toContain(code);
  }
});
