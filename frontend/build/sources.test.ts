// Rules that the sources of the console keep.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { componentIcons, consoleIcons } from './icon-names.ts';

const src = path.resolve(import.meta.dirname, '../src');

function sources(): [string, string][] {
  return readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(tsx?|css)$/.test(name) && !name.endsWith('.d.ts'))
    .map((name) => [name, readFileSync(path.join(src, name), 'utf8')]);
}

test('Momentum is imported in one file only', () => {
  const importers = sources().filter(([name, text]) =>
    name !== 'mdc.ts' && !name.endsWith('.test.ts') && text.includes('@momentum-design'));
  expect(importers.map(([name]) => name)).toEqual([]);
});

test('colours come from tokens', () => {
  for (const [name, text] of sources()) {
    expect(text.match(/(?<![\w&])#[0-9a-f]{3,8}\b|\brgba?\(|\bhsla?\(/gi) ?? [], name).toEqual([]);
  }
});

test('every icon that is named is bundled, and every bundled one is named', () => {
  const all = sources().map(([, text]) => text).join('\n');
  const named = [...all.matchAll(/['"]([a-z]+(?:-[a-z]+)*-(?:regular|bold|filled))['"]/g)]
    .map((match) => match[1]!)
    .filter((name) => !/^(body|heading|headline)-/.test(name));
  expect(named.length).toBeGreaterThan(5);
  const bundled = [...componentIcons, ...consoleIcons];
  expect(named.filter((name) => !bundled.includes(name))).toEqual([]);
  const stems = new Set(named.map((name) => name.replace(/-\w+$/, '')));
  expect(consoleIcons.filter((name) => !stems.has(name.replace(/-\w+$/, '')))).toEqual([]);
});

test('no markup is made from strings', () => {
  for (const [name, text] of sources()) {
    expect(text, name).not.toMatch(/dangerouslySetInnerHTML|innerHTML|insertAdjacentHTML/);
  }
});

test('a file keeps to 500 lines and 100 columns, tables of sentences apart', () => {
  for (const [name, text] of sources()) {
    const lines = text.split('\n');
    if (!name.startsWith('i18n/')) {
      expect(lines.length, name).toBeLessThanOrEqual(500);
      if (!name.endsWith('.css') && name !== 'mdc.ts') {
        expect(lines.filter((line) => line.length > 100), name).toEqual([]);
      }
    }
  }
});
