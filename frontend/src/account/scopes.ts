// Which scopes a personal API token may have: never more than the person's own role allows.
import type { Schemas } from '../api/client';
import type { Operation } from '../session';

export type Scope = Schemas['TokenScope'];

/** An operation that only those may use for whom the scope makes sense. */
const signOf: Record<Scope, Operation> = {
  'clusters:read': 'listClusters', 'clusters:write': 'saveSchedules', 'people:read': 'listUsers',
  'audit:read': 'listAudit', 'releases:read': 'listReleases', 'releases:write': 'setReleaseState',
};

export function scopesFor(permissions: readonly string[]): Scope[] {
  return (Object.keys(signOf) as Scope[]).filter((scope) => permissions.includes(signOf[scope]));
}

/** The key of a scope's name among the sentences. */
export function scopeKey<S extends Scope>(scope: S) {
  return scope.replace(':', '_') as S extends `${infer A}:${infer B}` ? `${A}_${B}` : never;
}

/** For how many days a token may be good. */
export const daysOffered = [7, 30, 90, 180, 365];
export const usualDays = 90;
