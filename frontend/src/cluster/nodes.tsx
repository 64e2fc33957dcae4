import { useTranslation } from 'react-i18next';
import type { Schemas } from '../api/client';
import { type ChipColor, StaticChip } from '../mdc';
import { useHubNow, useSession } from '../session';
import { instantInZone, relative } from '../text/time';
import { Bar, Host, Muted, Section, useLanguage, When } from '../ui/parts';
import { NodeActions } from './node-actions';
import { nodeOptions, permitted } from './node-options';

type Node = Schemas['Node'];

const skewWorthShowing = 5;

const healthColors: Record<Node['health'], ChipColor> = {
  healthy: 'mint', unhealthy: 'pink', unknown: 'slate',
};
const memberColors: Record<Node['member'], ChipColor> = {
  expected: 'slate', waiting: 'gold', active: 'mint', quarantined: 'orange', excluded: 'orange',
  removed: 'slate',
};

/** The members of the cluster: what each runs, does, and waits for. */
export function Nodes({ cluster }: { cluster: Schemas['Cluster'] }) {
  const { t } = useTranslation();
  const mayChange = permitted([...nodeOptions], useSession().permissions).length > 0;
  const single = cluster.nodes.length === 1;
  const columns = ['name', 'state', 'version', 'activity', 'lastSeen', 'why'] as const;
  return (
    <Section id="nodes" title={t('nodes.title')}
      lead={single ? t('nodes.single') : t('nodes.lead')}>
      {cluster.nodes.length === 0 ? <Muted>{t('nodes.noneYet')}</Muted> : (
        <table className="nodes" role="table">
          <thead role="rowgroup">
            <tr role="row">
              {columns.map((column) => (
                <th key={column} role="columnheader" scope="col">{t(`nodes.${column}`)}</th>
              ))}
              {mayChange && (
                <th role="columnheader" scope="col">
                  <span className="unseen">{t('nodes.actions')}</span>
                </th>
              )}
            </tr>
          </thead>
          <tbody role="rowgroup">
            {cluster.nodes.map((node) => (
              <Row key={node.id} node={node} cluster={cluster} mayChange={mayChange} />
            ))}
          </tbody>
        </table>
      )}
    </Section>
  );
}

function Row({ node, cluster, mayChange }: {
  node: Node; cluster: Schemas['Cluster']; mayChange: boolean }) {
  const { t } = useTranslation();
  const { zone } = cluster.schedules;
  return (
    <tr role="row" data-node={node.name} data-step={node.step} data-version={node.version}>
      <td role="cell" className="node-name" data-label={t('nodes.name')}>
        <strong><Host name={node.name} /></strong>
        <span className="muted">{t(`nodes.${node.role}`)}</span>
      </td>
      <td role="cell" className="node-state" data-label={t('nodes.state')}>
        <State node={node} zone={zone} />
      </td>
      <td role="cell" data-label={t('nodes.version')}>{node.version || t('none')}</td>
      <td role="cell" data-label={t('nodes.activity')}><Activity node={node} /></td>
      <td role="cell" data-label={t('nodes.lastSeen')}><LastSeen node={node} zone={zone} /></td>
      <td role="cell" data-label={t('nodes.why')}><Why node={node} zone={zone} /></td>
      {mayChange && (
        <td role="cell" className="node-actions" data-label={t('nodes.actions')}>
          <NodeActions node={node} cluster={cluster} />
        </td>
      )}
    </tr>
  );
}

function State({ node, zone }: { node: Node; zone: string }) {
  const { t } = useTranslation();
  const language = useLanguage();
  const skew = node.clock_skew_seconds ?? 0;
  return (
    <div className="cell">
      <div className="chips">
        <StaticChip color={memberColors[node.member]} label={t(`nodes.member.${node.member}`)} />
        {node.member !== 'removed' && node.member !== 'expected' && (
          <StaticChip color={healthColors[node.health]} label={t(`nodes.health.${node.health}`)} />
        )}
        {node.maintenance && <StaticChip color="purple" label={t('nodes.maintenance')} />}
      </div>
      {node.maintenance && (
        <span className="muted">
          {t('nodes.inMaintenance', {
            time: instantInZone(node.maintenance.until, language, zone),
            reason: node.maintenance.reason,
          })}
        </span>
      )}
      {node.health_detail && <span className="muted">{node.health_detail}</span>}
      {Math.abs(skew) >= skewWorthShowing && (
        <span className="muted">{t('nodes.skew', { seconds: skew })}</span>
      )}
    </div>
  );
}

function Activity({ node }: { node: Node }) {
  const { t } = useTranslation();
  const step = t(`nodes.step.${node.step}`);
  if (node.step === 'idle') return <span className="muted">{step}</span>;
  // a step that is at its end or cannot be measured is told without a figure
  const known = node.step_percent !== undefined && node.step_percent < 100;
  const text = known ? t('nodes.stepOf', { step, percent: node.step_percent }) : step;
  return (
    <div className="cell" aria-live="polite">
      <span>{text}</span>
      {known && <Bar label={text} percent={node.step_percent ?? 0} />}
    </div>
  );
}

function LastSeen({ node, zone }: { node: Node; zone: string }) {
  const { t } = useTranslation();
  const language = useLanguage();
  const now = useHubNow(1_000);
  if (!node.last_seen_at) return <span className="muted">{t('nodes.never')}</span>;
  const at = node.last_seen_at;
  // what was seen a moment ago must not lie in the future because two clocks differ a little
  const ago = relative(at, Math.max(now, Date.parse(at)), language);
  return (
    <div className="cell">
      <time dateTime={at} title={instantInZone(at, language, zone)}>{ago}</time>
      {!node.online && (
        <div className="chips"><StaticChip color="pink" label={t('nodes.offline')} /></div>
      )}
    </div>
  );
}

function Why({ node, zone }: { node: Node; zone: string }) {
  const { t } = useTranslation();
  const { decision } = node;
  if (!decision) return <span className="muted">{t('none')}</span>;
  const [before, after] = t('nodes.earliest', { time: '\n' }).split('\n');
  return (
    <div className="cell" data-reason={decision.reason}>
      <span>{decision.sentence}</span>
      {decision.earliest && decision.verb === 'hold' && (
        <span className="muted">
          {before}<When at={decision.earliest} zone={zone} />{after}
        </span>
      )}
    </div>
  );
}
