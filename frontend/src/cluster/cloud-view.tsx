import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useExplain } from '../api/action';
import { api, type Schemas } from '../api/client';
import { usePollInterval } from '../api/live';
import { Button, type ChipColor, StaticChip } from '../mdc';
import { known } from '../text/known';
import { Fact, Facts, Failure, H3, Host, Loading, Muted, Section, When } from '../ui/parts';
import { Cell, Table } from '../ui/table';
import { sentence } from './outcome';

type View = Schemas['CloudView'];
type Outcome = Schemas['CloudOutcome'];

const shownAtFirst = 10;

const kinds = ['patch-install', 'patch-rollback', 'ms-patches-install', 'ms-patches-rollback',
  'upgrade', 'switch-forward', 'rollback', 'maintenance', 'services-start'] as const;
const statuses = ['ok', 'remarks', 'failed', 'pending', 'running', 'done', 'abandoned',
  'interrupted'] as const;

const colors: Record<(typeof statuses)[number], ChipColor> = {
  ok: 'mint', done: 'mint', remarks: 'gold', failed: 'pink', interrupted: 'orange',
  abandoned: 'slate', pending: 'slate', running: 'cobalt',
};

/** What the control node of the cluster orchestrates, as its own administrator lets it be shown. */
export function CloudView({ cluster, leaving }: {
  cluster: Schemas['Cluster']; leaving: boolean }) {
  const { t } = useTranslation();
  const explained = useExplain();
  const poll = usePollInterval();
  const view = api.useQuery('get', '/clusters/{clusterId}/cloud-view', {
    params: { path: { clusterId: cluster.id } },
  }, { refetchInterval: poll, enabled: !leaving });
  const { zone } = cluster.schedules;
  return (
    <Section id="cloud-view" title={t('cloudView.title')} lead={t('cloudView.lead')}>
      {view.isPending && <Loading />}
      {!view.data && view.error && <Failure failure={explained(view.error)} />}
      {view.data && !view.data.enabled && <NotShown />}
      {view.data?.enabled && <Shown view={view.data} zone={zone} />}
    </Section>
  );
}

function NotShown() {
  const { t } = useTranslation();
  const [before, after] = t('cloudView.off', { command: '\n' }).split('\n');
  return <p>{before}<code>nodeclient utils cloud-view enable</code>{after}</p>;
}

function Shown({ view, zone }: { view: View; zone: string }) {
  const { t } = useTranslation();
  return (
    <>
      <Facts>
        <Fact label={t('cloudView.deployment')}>{view.deployment_name ?? t('none')}</Fact>
        <Fact label={t('cloudView.type')}>{view.deployment_type ?? t('none')}</Fact>
        {view.received_at && (
          <Fact label={t('cloudView.received')}><When at={view.received_at} zone={zone} /></Fact>
        )}
        {view.enabled_at && (
          <Fact label={t('cloudView.since')}><When at={view.enabled_at} zone={zone} /></Fact>
        )}
      </Facts>
      <Machines view={view} zone={zone} />
      <Procedures view={view} zone={zone} />
    </>
  );
}

function Machines({ view, zone }: { view: View; zone: string }) {
  const { t } = useTranslation();
  const [all, setAll] = useState(false);
  const shown = all ? view.machines : view.machines.slice(0, shownAtFirst);
  const tests = new Map(view.connections.map((each) => [each.name, each]));
  return (
    <>
      <H3>{t('cloudView.machines')}</H3>
      {view.machines.length === 0 && <Muted>{t('cloudView.noMachine')}</Muted>}
      {shown.length > 0 && (
        <Table label={t('cloudView.machines')} columns={[t('cloudView.machine'),
          t('cloudView.product'), t('cloudView.group'), t('cloudView.side'),
          t('cloudView.connection')]}>
          {shown.map((machine) => (
            <tr role="row" key={`${machine.product} ${machine.group} ${machine.name}`}
              data-machine={machine.name}>
              <Cell label={t('cloudView.machine')} className="node-name">
                <strong><Host name={machine.name} /></strong>
              </Cell>
              <Cell label={t('cloudView.product')}>{machine.product}</Cell>
              <Cell label={t('cloudView.group')}>{machine.group}</Cell>
              <Cell label={t('cloudView.side')}>
                {machine.side}{machine.type && ` · ${machine.type}`}
              </Cell>
              <Cell label={t('cloudView.connection')}>
                <Test outcome={tests.get(machine.name)} zone={zone} />
              </Cell>
            </tr>
          ))}
        </Table>
      )}
      {shown.length < view.machines.length && (
        <div className="actions">
          <Button variant="tertiary" size={28} onClick={() => setAll(true)}>
            {t('cloudView.more', { count: view.machines.length })}
          </Button>
        </div>
      )}
      {view.omitted > 0 && <Muted>{t('cloudView.omitted', { count: view.omitted })}</Muted>}
    </>
  );
}

function Test({ outcome, zone }: { outcome?: Outcome; zone: string }) {
  const { t } = useTranslation();
  if (!outcome) return <span className="muted">{t('cloudView.untested')}</span>;
  return (
    <>
      <StatusChip status={outcome.status} />
      {outcome.at && <span className="muted"> <When at={outcome.at} zone={zone} bare /></span>}
      <Why code={outcome.code} />
    </>
  );
}

/** A code in words; the machine's own words stay on the control node. */
function Why({ code }: { code?: string }) {
  const { i18n } = useTranslation();
  if (!code) return null;
  return <span className="muted" data-code={code}> {sentence(code, i18n.language)}</span>;
}

function Procedures({ view, zone }: { view: View; zone: string }) {
  const { t } = useTranslation();
  return (
    <>
      <H3>{t('cloudView.procedures')}</H3>
      {view.procedures.length === 0 && <Muted>{t('cloudView.noProcedure')}</Muted>}
      {view.procedures.length > 0 && (
        <Table label={t('cloudView.procedures')} columns={[t('cloudView.procedure'),
          t('cloudView.status'), t('cloudView.began'), t('cloudView.ended'),
          t('cloudView.result')]}>
          {view.procedures.map((procedure, index) => (
            <tr role="row" key={`${procedure.began_at} ${index}`}>
              <Cell label={t('cloudView.procedure')} className="node-name">
                <strong><Kind kind={procedure.kind} /></strong>
              </Cell>
              <Cell label={t('cloudView.status')}><StatusChip status={procedure.status} /></Cell>
              <Cell label={t('cloudView.began')}>
                <When at={procedure.began_at} zone={zone} bare />
              </Cell>
              <Cell label={t('cloudView.ended')}>
                {procedure.ended_at ? <When at={procedure.ended_at} zone={zone} bare /> : t('none')}
              </Cell>
              <Cell label={t('cloudView.result')}><Outcomes items={procedure.machines} /></Cell>
            </tr>
          ))}
        </Table>
      )}
    </>
  );
}

function Outcomes({ items }: { items: Outcome[] }) {
  const { t } = useTranslation();
  const done = items.filter((item) => item.status === 'done').length;
  if (items.length === 0) return <>{t('none')}</>;
  return (
    <details>
      <summary>{t('cloudView.done', { done, total: items.length })}</summary>
      <ul>
        {items.map((item) => (
          <li key={item.name}>
            <Host name={item.name} /> {item.from && item.to && `${item.from} → ${item.to} `}
            <StatusChip status={item.status} />
            <Why code={item.code} />
          </li>
        ))}
      </ul>
    </details>
  );
}

function Kind({ kind }: { kind: string }) {
  const { t } = useTranslation();
  const word = known(kinds, kind);
  return <>{word ? t(`cloudView.kind.${word}`) : kind}</>;
}

function StatusChip({ status }: { status: string }) {
  const { t } = useTranslation();
  const word = known(statuses, status);
  return (
    <StaticChip color={word ? colors[word] : 'slate'} data-status={status}
      label={word ? t(`cloudView.state.${word}`) : status} />
  );
}
