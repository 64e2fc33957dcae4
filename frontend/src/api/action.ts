// One change asked of the hub: busy while it is on its way, and a sentence when it is refused.
// Where the hub demands to sign in again first, the person is asked here and the change repeated.
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { endSession, refreshAll, refreshSession } from '../session';
import { NotConfirmed, useConfirm } from './confirmation';
import { PasskeyFailure } from './passkey';
import { asksToConfirm, explain, type Explanation, isForbidden, isSignedOut } from './problem';

export interface Answer<T> {
  data?: T;
  error?: unknown;
}

export interface Action<I, T> {
  run: (input: I, done?: (answer: T) => void) => void;
  busy: boolean;
  failure: Explanation | null;
  reset: () => void;
}

interface Asked<I, T> {
  input: I;
  done: ((answer: T) => void) | undefined;
}

export function useAction<I, T>(call: (input: I) => Promise<Answer<T>>): Action<I, T> {
  const queries = useQueryClient();
  const explained = useExplain();
  const confirm = useConfirm();
  const mutation = useMutation({
    networkMode: 'always',
    mutationFn: async ({ input }: Asked<I, T>) => {
      let answer = await call(input);
      if (asksToConfirm(answer.error)) {
        if (!await confirm()) throw new NotConfirmed();
        answer = await call(input);
      }
      if (answer.error !== undefined) throw answer.error;
      return answer.data as T;
    },
    onError(error) {
      if (isSignedOut(error)) endSession(queries, true);
      if (isForbidden(error)) refreshSession(queries);
    },
    // Here, not with the call: what was done is also told when the part of the page that asked
    // for it is gone by then.
    onSettled: async (answer, failed, { done }) => {
      await refreshAll(queries);
      if (failed === null) done?.(answer as T);
    },
  });
  const { error } = mutation;
  return {
    run: (input, done) => mutation.mutate({ input, done }),
    busy: mutation.isPending,
    failure: error && !(error instanceof NotConfirmed) ? explained(error) : null,
    reset: mutation.reset,
  };
}

/** Puts failures into words of the reader's language. */
export function useExplain(): (error: unknown) => Explanation {
  const { t } = useTranslation();
  return (error) => {
    if (error instanceof PasskeyFailure) return { sentence: t(`passkey.${error.reason}`) };
    return explain(error, {
      unreachable: t('error.unreachable'), unexpected: t('error.unexpected'),
    });
  };
}
