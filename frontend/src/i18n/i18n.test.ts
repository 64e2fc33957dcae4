import { expect, test } from 'vitest';
import en from './en';
import ja from './ja';
import { pick } from './language';

function flat(node: object, prefix = ''): Map<string, string> {
  const all = new Map<string, string>();
  for (const [key, value] of Object.entries(node)) {
    if (typeof value === 'string') all.set(prefix + key, value);
    else for (const entry of flat(value as object, `${prefix}${key}.`)) all.set(...entry);
  }
  return all;
}

const english = flat(en);
const japanese = flat(ja);

test('both languages have the same keys', () => {
  expect([...japanese.keys()].sort()).toEqual([...english.keys()].sort());
});

test('both languages put in the same values', () => {
  const values = (sentence: string) =>
    [...new Set([...sentence.matchAll(/\{\{(\w+)\}\}/g)].map((match) => match[1]))].sort();
  for (const [key, sentence] of english) {
    expect(values(japanese.get(key) ?? ''), key).toEqual(values(sentence));
  }
});

test('no sentence is empty, and Japanese ones are Japanese', () => {
  const names =
    /^(product|list\.title|shell\.(languageName|cloudConnect)|none|add\.fqdnPlaceholder)$/;
  for (const [key, sentence] of japanese) {
    expect(english.get(key), key).not.toBe('');
    const own = sentence.replace(/\{\{\w+\}\}/g, '');
    if (!names.test(key) && /\p{L}/u.test(own)) expect(own, key).toMatch(/[\u3040-\u30ff\u4e00-\u9fff]/);
  }
});

test('the machine translation of old is not repeated', () => {
  for (const sentence of japanese.values()) {
    expect(sentence).not.toMatch(/クラウド接続|スクリーン|登録抹消|サブスクライバー/);
  }
});

test('the language is the remembered one, otherwise the first of the browser that there is', () => {
  expect(pick('ja', ['en'])).toBe('ja');
  expect(pick(null, ['fr-FR', 'ja-JP', 'en'])).toBe('ja');
  expect(pick('fr', ['fr'])).toBe('en');
  expect(pick(null, [])).toBe('en');
});
