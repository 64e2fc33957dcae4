// Sentences that the console and the hub both have: they must be the same.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import en from '../src/i18n/en.ts';
import ja from '../src/i18n/ja.ts';

const english: Record<string, string> = en.signIn.problem;
const japanese: Record<string, string> = ja.signIn.problem;

test('every problem of signing in through a provider has the sentence of the hub', () => {
  const table = readFileSync(
    path.resolve(import.meta.dirname, '../../models/refusals.go'), 'utf8');
  const refusals = [...table.matchAll(/"(oidc_\w+)":\s*\{"([^"]*)", "([^"]*)"\}/g)];
  expect(refusals.length).toBeGreaterThan(5);
  const typographic = (sentence: string) => sentence.replaceAll("'", '’');
  for (const [, code, inEnglish, inJapanese] of refusals) {
    expect(english[code!], code).toBe(typographic(inEnglish!));
    expect(japanese[code!], code).toBe(inJapanese);
  }
});
