import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useExplain } from '../api/action';
import { api, type Schemas } from '../api/client';
import { usePollInterval } from '../api/live';
import { Button, type ChipColor, StaticChip } from '../mdc';
import { Failure, Loading, Muted, Section, When } from '../ui/parts';

const shownAtFirst = 8;

const colors: Record<Schemas['HistoryItem']['kind'], ChipColor> = {
  permit: 'cobalt', decision: 'slate', change: 'violet',
};

/** What happened to the cluster, newest first, in the hub's own sentences. */
export function History({ cluster, leaving }: {
  cluster: Schemas['Cluster']; leaving: boolean }) {
  const { t } = useTranslation();
  const explained = useExplain();
  const poll = usePollInterval();
  const [all, setAll] = useState(false);
  const history = api.useQuery('get', '/clusters/{clusterId}/history', {
    params: { path: { clusterId: cluster.id } },
  }, { refetchInterval: poll, enabled: !leaving });
  const items = history.data?.items ?? [];
  const shown = all ? items : items.slice(0, shownAtFirst);
  return (
    <Section id="history" title={t('history.title')}>
      {history.isPending && <Loading />}
      {!history.data && history.error && <Failure failure={explained(history.error)} />}
      {history.data && items.length === 0 && <Muted>{t('history.empty')}</Muted>}
      <ol className="history">
        {shown.map((item, index) => (
          <li key={`${item.at} ${index}`}>
            <StaticChip color={colors[item.kind]} label={t(`history.kind.${item.kind}`)} />
            <span className="history-what">
              {item.sentence}
              {item.actor && (
                <span className="muted"> {t('history.by', { actor: item.actor })}</span>
              )}
            </span>
            <span className="history-when muted">
              <When at={item.at} zone={cluster.schedules.zone} bare />
            </span>
          </li>
        ))}
      </ol>
      {shown.length < items.length && (
        <div className="actions">
          <Button variant="tertiary" size={28} onClick={() => setAll(true)}>
            {t('history.more', { count: items.length })}
          </Button>
        </div>
      )}
    </Section>
  );
}
