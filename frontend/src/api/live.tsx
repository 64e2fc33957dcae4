// Keeps what is shown up to date: the hub's event stream says that something changed, and what is
// shown is read again. While the stream is down, everything is read every few seconds instead.
import { useQueryClient } from '@tanstack/react-query';
import { createContext, type ReactNode, useContext, useEffect, useState, useSyncExternalStore }
  from 'react';
import { refreshAll } from '../session';
import { base, connection } from './client';

const pollWhileLost = 2_000;
const pollWhileDown = 5_000;
const pollWhileLive = 10_000;
const reconnectAfter = 5_000;

const LiveContext = createContext(false);

export function Live({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const [live, setLive] = useState(false);
  useEffect(() => {
    let source: EventSource | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let stopped = false;
    const refresh = () => void refreshAll(queries);
    const connect = () => {
      source = new EventSource(`${base}/events`);
      source.onopen = () => {
        setLive(true);
        refresh();
      };
      source.addEventListener('changed', refresh);
      source.onerror = () => {
        setLive(false);
        refresh(); // tells at once whether only the stream is gone, or the hub
        // a refused stream stays closed: the browser only retries a broken one
        if (source?.readyState === EventSource.CLOSED && !stopped) {
          clearTimeout(timer);
          timer = setTimeout(connect, reconnectAfter);
        }
      };
    };
    connect();
    window.addEventListener('online', refresh);
    window.addEventListener('offline', refresh);
    return () => {
      stopped = true;
      window.removeEventListener('online', refresh);
      window.removeEventListener('offline', refresh);
      clearTimeout(timer);
      source?.close();
    };
  }, [queries]);
  return <LiveContext value={live}>{children}</LiveContext>;
}

/** How often to read again what is shown. */
export function usePollInterval(): number {
  const lost = useSyncExternalStore(connection.subscribe, connection.isLost);
  const live = useContext(LiveContext);
  if (lost) return pollWhileLost;
  return live ? pollWhileLive : pollWhileDown;
}
