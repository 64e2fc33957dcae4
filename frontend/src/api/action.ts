// One change asked of the hub: busy while it is on its way, and a sentence when it is refused.
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { endSession } from '../session';
import { explain, type Explanation, isSignedOut } from './problem';

interface Answer<T> {
  data?: T;
  error?: unknown;
}

export interface Action<I, T> {
  run: (input: I, done?: (answer: T) => void) => void;
  busy: boolean;
  failure: Explanation | null;
  reset: () => void;
}

export function useAction<I, T>(call: (input: I) => Promise<Answer<T>>): Action<I, T> {
  const queries = useQueryClient();
  const explained = useExplain();
  const mutation = useMutation({
    networkMode: 'always',
    mutationFn: async (input: I) => {
      const answer = await call(input);
      if (answer.error !== undefined) throw answer.error;
      return answer.data as T;
    },
    onError(error) {
      if (isSignedOut(error)) endSession(queries, true);
    },
    onSettled: () => queries.invalidateQueries({
      predicate: (query) => query.queryKey[0] !== 'session' && query.queryKey[1] !== '/zones',
    }),
  });
  return {
    run: (input, done) => mutation.mutate(input, { onSuccess: (answer) => done?.(answer) }),
    busy: mutation.isPending,
    failure: mutation.error ? explained(mutation.error) : null,
    reset: mutation.reset,
  };
}

/** Puts failures into words of the reader's language. */
export function useExplain(): (error: unknown) => Explanation {
  const { t } = useTranslation();
  return (error) => explain(error, {
    unreachable: t('error.unreachable'), unexpected: t('error.unexpected'),
  });
}
