import { expect, test } from 'vitest';
import { scopeKey, scopesFor } from './scopes';

test('nobody is offered a scope beyond their own role', () => {
  expect(scopesFor(['listClusters', 'listUsers'])).toEqual(['clusters:read', 'people:read']);
  expect(scopesFor(['listReleases', 'setReleaseState', 'listUsers']))
    .toEqual(['people:read', 'releases:read', 'releases:write']);
  expect(scopesFor([])).toEqual([]);
});

test('a scope has a key without a colon, which the sentences keep for themselves', () => {
  expect(scopeKey('clusters:read')).toBe('clusters_read');
});
