// Whether the hub can be reached: said by the outcome of every call, shown as one banner.

type Listener = () => void;

export interface Connection {
  reached(): void;
  lost(): void;
  isLost(): boolean;
  subscribe(listener: Listener): () => void;
}

export function newConnection(): Connection {
  let lost = false;
  const listeners = new Set<Listener>();
  const set = (next: boolean) => {
    if (next === lost) return;
    lost = next;
    for (const listener of listeners) listener();
  };
  return {
    reached: () => set(false),
    lost: () => set(true),
    isLost: () => lost,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
