// What the link of an invitation carries in its fragment.

const maxToken = 256;

/** The token of the address's fragment, which no request and no log ever holds. */
export function tokenIn(hash: string): string | undefined {
  const text = hash.replace(/^#/, '');
  const token = new URLSearchParams(text).get('token') ?? text;
  return /^[\w.~-]+$/.test(token) && token.length <= maxToken ? token : undefined;
}
