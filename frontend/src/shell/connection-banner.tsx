import { useSyncExternalStore } from 'react';
import { useTranslation } from 'react-i18next';
import { connection } from '../api/client';
import { Banner } from '../mdc';

/** Says that the hub cannot be reached, for as long as that is so. */
export function ConnectionBanner() {
  const { t } = useTranslation();
  const lost = useSyncExternalStore(connection.subscribe, connection.isLost);
  return (
    <div role="status" aria-live="assertive" className="connection">
      {lost && (
        <Banner variant="warning" label={t('error.lost')} secondaryLabel={t('error.lostDetail')} />
      )}
    </div>
  );
}
