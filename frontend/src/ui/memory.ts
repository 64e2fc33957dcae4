// What the browser remembers for its user. It may refuse to: then nothing is remembered.

type Key = 'language' | 'theme';

export function recall(key: Key): string | null {
  try {
    return globalThis.localStorage?.getItem(`connect-hub.${key}`) ?? null;
  } catch {
    return null;
  }
}

export function remember(key: Key, value: string): void {
  try {
    globalThis.localStorage?.setItem(`connect-hub.${key}`, value);
  } catch {
    // a browser that stores nothing still shows the choice until the page is left
  }
}
