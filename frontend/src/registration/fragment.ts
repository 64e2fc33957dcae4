// What the publisher's page brings back in the fragment of the return page's address.

export interface Returned {
  code?: string;
  denied: boolean;
}

export function readFragment(hash: string): Returned {
  const values = new URLSearchParams(hash.replace(/^#/, ''));
  const code = values.get('code')?.trim();
  return {
    ...(code && code.length <= 256 ? { code } : {}),
    denied: values.has('denied') || values.get('error') === 'denied'
      || values.get('error') === 'access_denied',
  };
}
