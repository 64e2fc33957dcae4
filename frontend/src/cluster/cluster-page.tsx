import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useParams } from 'react-router';
import { useExplain } from '../api/action';
import { api, type Schemas } from '../api/client';
import { usePollInterval } from '../api/live';
import { isMissing } from '../api/problem';
import { usePermitted } from '../session';
import { NotFound } from '../shell/not-found';
import { Trail } from '../shell/trail';
import { ClusterChip, Failure, H1, Host, Loading, Muted, useTitle, When } from '../ui/parts';
import { CloudView } from './cloud-view';
import { Deregister } from './deregister';
import { Halted } from './halted';
import { History } from './history';
import { NextUpgrade } from './next-upgrade';
import { Nodes } from './nodes';
import { Progress } from './progress';
import { ScheduleForm } from './schedule-form';
import { ScheduleShown } from './schedule-shown';

/** One cluster: its nodes, what happens next and why, and everything that can be done about it. */
export default function ClusterPage() {
  const { clusterId } = useParams();
  return <Loaded key={clusterId} id={clusterId ?? ''} />;
}

function Loaded({ id }: { id: string }) {
  const { t } = useTranslation();
  const explained = useExplain();
  const poll = usePollInterval();
  const [leaving, setLeaving] = useState(false);
  const cluster = api.useQuery('get', '/clusters/{clusterId}', {
    params: { path: { clusterId: id } },
  }, {
    enabled: !leaving,
    refetchInterval: (query) => (isMissing(query.state.error) ? false : poll),
  });
  if (isMissing(cluster.error)) return <NotFound text={t('error.clusterMissing')} />;
  if (cluster.data) {
    return <Page cluster={cluster.data} leaving={leaving} onLeaving={setLeaving} />;
  }
  if (cluster.isPending) return <Loading />;
  return <div className="page"><Trail /><Failure failure={explained(cluster.error)} /></div>;
}

function Page({ cluster, leaving, onLeaving }: {
  cluster: Schemas['Cluster']; leaving: boolean; onLeaving: (leaving: boolean) => void }) {
  const { t } = useTranslation();
  const mayChange = usePermitted('saveSchedules');
  const mayDeregister = usePermitted('deregister');
  const { zone } = cluster.schedules;
  const progress = cluster.rollout && { done: cluster.rollout.done, total: cluster.rollout.total };
  useTitle(cluster.display_name);
  return (
    <div className="page" data-cluster={cluster.id}>
      <Trail cluster={cluster.display_name} />
      <div className="page-head">
        <div>
          <div className="title-line">
            <H1>{cluster.display_name}</H1>
            <ClusterChip state={cluster.state} progress={progress} />
          </div>
          <Muted>
            <Host name={cluster.fqdn} /> · <Registered at={cluster.registered_at} zone={zone} />
          </Muted>
        </div>
      </div>
      {!mayChange && <Muted>{t('role.readOnly')}</Muted>}
      <Halted cluster={cluster} />
      <div className="columns">
        <NextUpgrade cluster={cluster} />
        <Progress cluster={cluster} />
      </div>
      <Nodes cluster={cluster} />
      {mayChange ? <ScheduleForm cluster={cluster} /> : <ScheduleShown cluster={cluster} />}
      <CloudView cluster={cluster} leaving={leaving} />
      <History cluster={cluster} leaving={leaving} />
      {mayDeregister && <Deregister cluster={cluster} onLeaving={onLeaving} />}
    </div>
  );
}

function Registered({ at, zone }: { at: string; zone: string }) {
  const { t } = useTranslation();
  const [before, after] = t('cluster.registered', { time: '\n' }).split('\n');
  return <>{before}<When at={at} zone={zone} />{after}</>;
}
