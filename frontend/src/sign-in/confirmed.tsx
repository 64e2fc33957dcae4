// Where a provider leads back to after signing in again: tells the window that waits, and closes.
import { useEffect } from 'react';
import { useTranslation } from 'react-i18next';
import { H1, Muted, useTitle } from '../ui/parts';

export const confirmedPath = '/confirmed';
const channelName = 'connect-hub.confirmed';

/** Calls back when a window beside this one says that the person signed in again. */
export function awaitConfirmed(onConfirmed: () => void): () => void {
  const channel = new BroadcastChannel(channelName);
  channel.onmessage = onConfirmed;
  return () => channel.close();
}

export function Confirmed() {
  const { t } = useTranslation();
  useTitle(t('confirmation.done'));
  useEffect(() => {
    const channel = new BroadcastChannel(channelName);
    channel.postMessage('confirmed');
    channel.close();
    window.close();
  }, []);
  return (
    <div className="empty" role="status">
      <H1>{t('confirmation.done')}</H1>
      <Muted>{t('confirmation.doneText')}</Muted>
    </div>
  );
}
