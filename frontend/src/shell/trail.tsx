import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { clusterListPath } from './paths';

/** Where the screen stands: Services, Contact Center, Cloud Connect, and perhaps a cluster. */
export function Trail({ cluster }: { cluster?: string }) {
  const { t } = useTranslation();
  return (
    <nav className="trail" aria-label={t('shell.trail')}>
      <ol>
        <li>{t('shell.services')}</li>
        <li>{t('shell.contactCenter')}</li>
        {cluster
          ? (
            <>
              <li><Link to={clusterListPath}>{t('shell.cloudConnect')}</Link></li>
              <li aria-current="page">{cluster}</li>
            </>
          )
          : <li aria-current="page">{t('shell.cloudConnect')}</li>}
      </ol>
    </nav>
  );
}

/** Where a screen stands that is not about clusters: its group in the navigation, and itself. */
export function Place({ group, page }: { group: string; page: string }) {
  const { t } = useTranslation();
  return (
    <nav className="trail" aria-label={t('shell.trail')}>
      <ol>
        <li>{group}</li>
        <li aria-current="page">{page}</li>
      </ol>
    </nav>
  );
}
