// What a refusal means to the person in front of the screen.
import type { components } from './schema';

export type Problem = components['schemas']['Problem'];

/** The hub could not be reached at all. */
export class Unreachable extends Error {
  override name = 'Unreachable';
}

/** The hub, or something in front of it, answered with something that is no problem document. */
export class Unreadable extends Error {
  override name = 'Unreadable';
  constructor(readonly status: number, readonly trackingId: string | undefined) {
    super(`unreadable answer ${status}`);
  }
}

export function isProblem(error: unknown): error is Problem {
  return typeof error === 'object' && error !== null
    && typeof (error as Problem).detail === 'string'
    && typeof (error as Problem).code === 'string'
    && typeof (error as Problem).status === 'number';
}

/** Nobody is signed in any more; a wrong password is refused with another code. */
export function isSignedOut(error: unknown): boolean {
  return isProblem(error) ? error.status === 401 && error.code === 'signed_out'
    : error instanceof Unreadable && error.status === 401;
}

export function isMissing(error: unknown): boolean {
  return isProblem(error) && error.status === 404;
}

/** The hub wants the person to sign in again before it does this. */
export function asksToConfirm(error: unknown): boolean {
  return isProblem(error) && error.code === 'step_up_required';
}

/** What this person may do is not what the console believed. */
export function isForbidden(error: unknown): boolean {
  return isProblem(error) && error.status === 403 && !asksToConfirm(error);
}

/** The field a problem is about, as the form calls it. */
export function fieldOf(problem: Problem): string | undefined {
  return problem.field?.replace(/^\/?schedules[./]/, '').replaceAll('/', '.').replace(/^\./, '');
}

export interface Explanation {
  /** A sentence for the reader. */
  sentence: string;
  /** To be quoted to the support, when there is one and it helps. */
  trackingId?: string;
  field?: string;
}

/** What the sentences for which the hub sent no words are called. */
export interface Fallbacks {
  unreachable: string;
  unexpected: string;
}

/** Puts any failure into words: the hub's own where it sent some, and never a raw error. */
export function explain(error: unknown, words: Fallbacks): Explanation {
  if (error instanceof Unreachable) return { sentence: words.unreachable };
  if (isProblem(error)) {
    const explanation: Explanation = {
      sentence: error.detail.trim() === '' ? words.unexpected : error.detail,
    };
    if (error.status >= 500 || error.detail.trim() === '') {
      explanation.trackingId = error.tracking_id;
    }
    const field = fieldOf(error);
    if (field) explanation.field = field;
    return explanation;
  }
  if (error instanceof Unreadable && error.trackingId) {
    return { sentence: words.unexpected, trackingId: error.trackingId };
  }
  return { sentence: words.unexpected };
}
