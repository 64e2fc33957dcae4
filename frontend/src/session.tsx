// Who is signed in, what that person may do, and what time it is on the hub.
import { useQuery, useQueryClient, type QueryClient } from '@tanstack/react-query';
import { createContext, type ReactNode, useContext, useEffect, useState } from 'react';
import { client, type Schemas } from './api/client';
import { offset } from './api/hubclock';
import { isSignedOut } from './api/problem';
import type { operations } from './api/schema';

export type SessionState =
  | { kind: 'in'; session: Schemas['Session']; offset: number }
  | { kind: 'out'; ended: boolean };

const key = ['session'];
const clockRefresh = 5 * 60_000;

async function readSession(queries: QueryClient): Promise<SessionState> {
  const sentAt = Date.now();
  try {
    const { data, error } = await client.GET('/session');
    if (!data) throw error;
    return { kind: 'in', session: data, offset: offset(data.hub.now, sentAt, Date.now()) };
  } catch (error) {
    if (!isSignedOut(error)) throw error;
    const before = queries.getQueryData<SessionState>(key);
    return { kind: 'out', ended: before?.kind === 'in' || (before?.ended ?? false) };
  }
}

export function useSessionState() {
  const queries = useQueryClient();
  return useQuery({
    queryKey: key,
    queryFn: () => readSession(queries),
    refetchInterval: (query) => (query.state.status === 'error' ? 5_000 : clockRefresh),
    staleTime: 60_000,
  });
}

export function beginSession(queries: QueryClient, session: Schemas['Session'], sentAt: number) {
  queries.removeQueries({ predicate: (query) => query.queryKey[0] !== key[0] });
  renewSession(queries, session, sentAt);
}

/** The same session, as the hub has just told it anew. */
export function renewSession(queries: QueryClient, session: Schemas['Session'], sentAt: number) {
  const state: SessionState = {
    kind: 'in', session, offset: offset(session.hub.now, sentAt, Date.now()),
  };
  queries.setQueryData(key, state);
}

/** Asks the hub again who is signed in and what that person may do. */
export function refreshSession(queries: QueryClient) {
  void queries.invalidateQueries({ queryKey: key });
}

/** Reads again what is shown: something has changed. Nothing is, once nobody is signed in. */
export function refreshAll(queries: QueryClient): Promise<void> {
  if (queries.getQueryData<SessionState>(key)?.kind === 'out') return Promise.resolve();
  return queries.invalidateQueries({
    predicate: ({ queryKey }) => queryKey[0] !== key[0] && queryKey[1] !== '/zones',
  });
}

/** Shows the sign-in page; `ended` says that it was not the person's own wish. */
export function endSession(queries: QueryClient, ended: boolean) {
  if (queries.getQueryData<SessionState>(key)?.kind === 'out') return;
  const state: SessionState = { kind: 'out', ended };
  queries.setQueryData(key, state);
}

interface Signed {
  session: Schemas['Session'];
  offset: number;
}

const SessionContext = createContext<Signed | null>(null);

export function SessionProvider(props: Signed & { children: ReactNode }) {
  const { children, ...signed } = props;
  return <SessionContext value={signed}>{children}</SessionContext>;
}

export function useSession(): Schemas['Session'] {
  const signed = useContext(SessionContext);
  if (!signed) throw new Error('no session here');
  return signed.session;
}

/** The operations of the admin API. */
export type Operation = Extract<keyof operations, string>;

/** Whether this person may use an operation; what nobody may use is not shown to them. */
export function usePermitted(operation: Operation): boolean {
  return useSession().permissions.includes(operation);
}

/** The hub's time, anew every second or as often as asked. */
export function useHubNow(everyMilliseconds = 1_000): number {
  const signed = useContext(SessionContext);
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMilliseconds);
    return () => clearInterval(timer);
  }, [everyMilliseconds]);
  return now + (signed?.offset ?? 0);
}
