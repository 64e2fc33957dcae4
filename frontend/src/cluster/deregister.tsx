import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useNavigate } from 'react-router';
import { useAction } from '../api/action';
import { client, type Schemas } from '../api/client';
import { Button } from '../mdc';
import { clusterListPath } from '../shell/paths';
import { TypedNameModal } from '../ui/modal';
import { useNotify } from '../ui/notices';
import { Section } from '../ui/parts';

/**
 * Ends the cluster's registration, after its display name was typed (R6). While that is under way
 * the page must not ask for the cluster again: it may be gone already.
 */
export function Deregister({ cluster, onLeaving }: {
  cluster: Schemas['Cluster']; onLeaving: (leaving: boolean) => void }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const notify = useNotify();
  const [open, setOpen] = useState(false);
  const name = cluster.display_name;
  const deregister = useAction(async (typed_name: string) => {
    onLeaving(true);
    try {
      const answer = await client.POST('/clusters/{clusterId}/deregister', {
        params: { path: { clusterId: cluster.id } }, body: { typed_name },
      });
      if (answer.error) onLeaving(false);
      return answer;
    } catch (error) {
      onLeaving(false);
      throw error;
    }
  });
  const close = () => {
    setOpen(false);
    deregister.reset();
  };
  return (
    <Section id="deregister" title={t('deregister.title')} lead={t('deregister.lead')}
      actions={(
        <Button variant="secondary" color="negative" onClick={() => setOpen(true)}>
          {t('deregister.action')}
        </Button>
      )}>
      {open && (
        <TypedNameModal danger title={t('deregister.confirmTitle', { name })} name={name}
          text={t('deregister.confirmText')} submit={t('deregister.action')}
          busy={deregister.busy} failure={deregister.failure} onClose={close}
          onSubmit={(typed) => deregister.run(typed, () => {
            notify(t('deregister.done', { name }));
            void navigate(clusterListPath);
          })} />
      )}
    </Section>
  );
}
