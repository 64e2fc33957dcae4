import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useAction } from '../api/action';
import { client, type Schemas } from '../api/client';
import { Input } from '../mdc';
import { Choice } from '../ui/choice';
import { Modal } from '../ui/modal';
import { useNotify } from '../ui/notices';

const hours = [1, 2, 4, 8, 12];
const days = [1, 2, 3, 7];
const usual = 240;

/** Asks why and for how long a node is taken out of service. */
export function MaintenanceDialog({ node, cluster, onClose }: {
  node: Schemas['Node']; cluster: Schemas['Cluster']; onClose: () => void }) {
  const { t } = useTranslation();
  const notify = useNotify();
  const [reason, setReason] = useState(node.maintenance?.reason ?? '');
  const [minutes, setMinutes] = useState(usual);
  const [tried, setTried] = useState(false);
  const { name } = node;
  const enter = useAction((body: Schemas['EnterMaintenance']) =>
    client.PUT('/clusters/{clusterId}/nodes/{nodeId}/maintenance', {
      params: { path: { clusterId: cluster.id, nodeId: node.id } }, body,
    }));
  const missing = tried && reason.trim() === '';
  const durations = [
    ...hours.map((count) => ({ value: count * 60, label: t('node.hours', { count }) })),
    ...days.map((count) => ({ value: count * 1440, label: t('node.days', { count }) })),
  ];
  const submit = () => {
    setTried(true);
    if (reason.trim() === '') return;
    enter.run({ reason: reason.trim(), minutes }, () => {
      onClose();
      notify(t('node.entered', { name }));
    });
  };
  return (
    <Modal title={t('node.maintenanceTitle', { name })} text={t('node.maintenanceText')}
      submit={node.maintenance ? t('node.renew') : t('node.enter')} busy={enter.busy}
      failure={enter.failure} onSubmit={submit} onClose={onClose}>
      <Input label={t('node.reason')} required maxlength={500} value={reason}
        onInput={(event) => setReason(event.target.value)}
        helpText={missing ? t('required') : ''} helpTextType={missing ? 'error' : 'default'} />
      <Choice label={t('node.duration')} value={minutes} options={durations}
        onChoose={setMinutes} />
    </Modal>
  );
}
