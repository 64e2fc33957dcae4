// The hub's clock, as far as the browser can tell it: countdowns must not trust the machine's own.

/**
 * How far the hub's clock is ahead of this machine's, from an answer that named the hub's time:
 * the hub read its clock somewhere between request and answer, so the middle is the best guess.
 */
export function offset(hubNow: string, sentAt: number, receivedAt: number): number {
  return Date.parse(hubNow) - (sentAt + receivedAt) / 2;
}

/** Milliseconds left until an instant, never below zero. */
export function left(until: string, hubNow: number): number {
  return Math.max(0, Date.parse(until) - hubNow);
}

/** A countdown as minutes and seconds; the last begun second still counts. */
export function countdown(milliseconds: number): string {
  const seconds = Math.ceil(milliseconds / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
