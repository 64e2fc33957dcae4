// Where a provider leads back to after signing in again: tells the window that waits, and closes.
import { useEffect } from 'react';
import { useTranslation } from 'react-i18next';
import { Failure, H1, Muted, useTitle } from '../ui/parts';
import { useProblemOfAddress } from './problem-of-address';

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
  const problem = useProblemOfAddress();
  useTitle(problem ? t('confirmation.title') : t('confirmation.done'));
  useEffect(() => {
    if (problem) return;
    const channel = new BroadcastChannel(channelName);
    channel.postMessage('confirmed');
    channel.close();
    window.close();
  }, [problem]);
  if (problem) {
    return (
      <div className="empty">
        <H1>{t('confirmation.notDone')}</H1>
        <Failure failure={{ sentence: problem }} />
        <Muted>{t('confirmation.notDoneText')}</Muted>
      </div>
    );
  }
  return (
    <div className="empty" role="status">
      <H1>{t('confirmation.done')}</H1>
      <Muted>{t('confirmation.doneText')}</Muted>
    </div>
  );
}
