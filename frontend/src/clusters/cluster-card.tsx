import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import type { Schemas } from '../api/client';
import { Icon, StaticChip } from '../mdc';
import { clusterPath } from '../shell/paths';
import { Bar, ClusterChip, Fact, Facts, H3, Host, Muted, When } from '../ui/parts';

/** A registered cluster on the list: its state, what it runs, and when it is upgraded next. */
export function ClusterCard({ cluster }: { cluster: Schemas['ClusterSummary'] }) {
  const { t } = useTranslation();
  const { progress, state } = cluster;
  return (
    <article className="card" aria-label={cluster.display_name} data-cluster={cluster.id}>
      <div className="card-head">
        <Icon name="server-regular" size={1.5} />
        <div>
          <H3>{cluster.display_name}</H3>
          <Muted><Host name={cluster.fqdn} /></Muted>
        </div>
      </div>
      <div className="chips">
        <ClusterChip state={state} progress={progress} />
        {cluster.upgrade_pending && state !== 'upgrading' && (
          <StaticChip color="violet" label={t('card.pendingUpgrade')} />
        )}
        {cluster.next_upgrade.open.length > 0 && (
          <StaticChip color="cobalt" label={t('card.openNow')} />
        )}
      </div>
      {progress && state === 'upgrading' && (
        <Bar label={t('card.upgrading', progress)} percent={percent(progress)} />
      )}
      <Facts>
        <Fact label={t('card.version', { count: cluster.versions.length || 1 })}>
          {cluster.versions.join(', ') || t('none')}
        </Fact>
        <Fact label={t('card.nodes')}>{cluster.node_count}</Fact>
        <Fact label={t('card.next')}>
          <When at={cluster.next_upgrade.regular.start} zone={cluster.zone} />
        </Fact>
      </Facts>
      <div className="card-foot">
        <Link className="link" to={clusterPath(cluster.id)}
          aria-label={t('card.settingsOf', { name: cluster.display_name })}>
          <Icon name="settings-regular" size={1} />
          {t('card.settings')}
        </Link>
      </div>
    </article>
  );
}

export function percent({ done, total }: Schemas['Progress']): number {
  return total === 0 ? 0 : Math.round((done / total) * 100);
}
