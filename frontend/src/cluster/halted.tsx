import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useAction } from '../api/action';
import { client, type Schemas } from '../api/client';
import { Banner, Button } from '../mdc';
import { usePermitted } from '../session';
import { TypedNameModal } from '../ui/modal';
import { useNotify } from '../ui/notices';
import { Failure } from '../ui/parts';

/** Says who blocks a halted rollout, and offers the way out that this state has. */
export function Halted({ cluster }: { cluster: Schemas['Cluster'] }) {
  const { t } = useTranslation();
  const { rollout, local_work: work } = cluster;
  if (work) return <ByHand cluster={cluster} permit={work} />;
  const denied = cluster.nodes.some((node) => node.decision?.reason === 'denied_version');
  if (rollout?.state === 'halted_failed') return <Failed cluster={cluster} />;
  if (denied) return <Failed cluster={cluster} label={t('cluster.denied')} />;
  if (rollout?.state === 'halted_lost' && rollout.permit) {
    return <Lost cluster={cluster} permit={rollout.permit} />;
  }
  return null;
}

function Failed({ cluster, label }: { cluster: Schemas['Cluster']; label?: string }) {
  const { t } = useTranslation();
  const notify = useNotify();
  const mayRetry = usePermitted('retryRollout');
  const retry = useAction(() => client.POST('/clusters/{clusterId}/retry', {
    params: { path: { clusterId: cluster.id } },
  }));
  return (
    <div className="stack">
      <Banner variant="error" label={label ?? t('cluster.haltedFailed')} className="banner"
        secondaryLabel={t('cluster.haltedFailedText')}>
        {mayRetry && (
          <Button slot="trailing-actions" size={28} disabled={retry.busy}
            onClick={() => retry.run(undefined, () => notify(t('cluster.retried')))}>
            {t('cluster.retry')}
          </Button>
        )}
      </Banner>
      <Failure failure={retry.failure} />
    </div>
  );
}

/** Says that a node is worked on by hand; whoever fell silent meanwhile can be overridden. */
function ByHand({ cluster, permit }: {
  cluster: Schemas['Cluster']; permit: Schemas['Permit'] }) {
  const { t } = useTranslation();
  const holder = cluster.nodes.find((node) => node.id === permit.node_id);
  if (permit.state === 'confirmed' && holder && !holder.online) {
    return <Lost cluster={cluster} permit={permit} label={t('cluster.localLost', {
      node: permit.node_name })} />;
  }
  return (
    <Banner label={t('cluster.localWork', { node: permit.node_name })} className="banner"
      secondaryLabel={t('cluster.localWorkText')} />
  );
}

function Lost({ cluster, permit, label }: {
  cluster: Schemas['Cluster']; permit: Schemas['Permit']; label?: string }) {
  const { t } = useTranslation();
  const notify = useNotify();
  const mayOverride = usePermitted('overridePermit');
  const [open, setOpen] = useState(false);
  const node = permit.node_name;
  const override = useAction((typed_name: string) =>
    client.POST('/clusters/{clusterId}/permits/{permitId}/override', {
      params: { path: { clusterId: cluster.id, permitId: permit.id } }, body: { typed_name },
    }));
  const close = () => {
    setOpen(false);
    override.reset();
  };
  return (
    <>
      <Banner variant="error" label={label ?? t('cluster.haltedLost', { node })} className="banner"
        secondaryLabel={t('cluster.haltedLostText')}>
        {mayOverride && (
          <Button slot="trailing-actions" size={28} color="negative"
            onClick={() => setOpen(true)}>
            {t('cluster.override')}
          </Button>
        )}
      </Banner>
      {open && (
        <TypedNameModal danger title={t('cluster.overrideTitle', { node })} name={node}
          text={t('cluster.overrideText')} submit={t('cluster.override')} busy={override.busy}
          failure={override.failure} onClose={close}
          onSubmit={(typed) => override.run(typed, () => {
            close();
            notify(t('cluster.overridden'));
          })} />
      )}
    </>
  );
}
