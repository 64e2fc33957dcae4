// Signing in again, which the hub demands before some changes: who asks, and who is asked.
import { createContext, useContext } from 'react';

/** Asks the person to sign in again; false when that was declined. */
export type Confirm = () => Promise<boolean>;

/** A change that was not made because the person did not sign in again. */
export class NotConfirmed extends Error {
  override name = 'NotConfirmed';
}

/** Where nobody can be asked, nothing is confirmed. */
export const ConfirmContext = createContext<Confirm>(async () => false);

export function useConfirm(): Confirm {
  return useContext(ConfirmContext);
}
