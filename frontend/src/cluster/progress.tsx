import { useTranslation } from 'react-i18next';
import type { Schemas } from '../api/client';
import { percent } from '../clusters/cluster-card';
import { type ChipColor, StaticChip, Text } from '../mdc';
import { Bar, Muted, Section } from '../ui/parts';

type State = Schemas['Rollout']['state'];

const colors: Record<State, ChipColor> = {
  active: 'cobalt', completed: 'mint', halted_failed: 'pink', halted_lost: 'pink',
  superseded: 'slate', cancelled: 'slate',
};

/** How far the newest rollout has come, and which node has the permit. */
export function Progress({ cluster }: { cluster: Schemas['Cluster'] }) {
  const { t } = useTranslation();
  const { rollout } = cluster;
  if (!rollout) {
    return (
      <Section id="progress" title={t('cluster.rolloutTitle')}>
        <Muted>{t('cluster.noRollout')}</Muted>
      </Section>
    );
  }
  const permit = rollout.state === 'completed' ? undefined : rollout.permit;
  const progress = t('cluster.progress', { done: rollout.done, total: rollout.total });
  return (
    <Section id="progress" title={t('cluster.rolloutTitle')}>
      <div className="title-line">
        <Text tagname="p" type="heading-small-bold">
          {t('cluster.rolloutTo', { version: rollout.version })}
        </Text>
        <StaticChip color={colors[rollout.state]} label={t(`cluster.rollout.${rollout.state}`)} />
        {rollout.kind === 'emergency' && (
          <StaticChip color="orange" label={t('cluster.kind.emergency')} />
        )}
      </div>
      <div data-rollout={rollout.state} data-done={rollout.done} data-total={rollout.total}>
        <Bar label={progress} percent={percent(rollout)}
          wrong={rollout.state.startsWith('halted')} />
        <Muted>{progress}</Muted>
      </div>
      {permit && permit.state !== 'ended' && (
        <div aria-live="polite">
          <Muted>
            {t(`cluster.permit.${permit.state}`, { node: permit.node_name })}
          </Muted>
        </div>
      )}
    </Section>
  );
}
