import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useAction } from '../api/action';
import { client, type Schemas } from '../api/client';
import { Button, MenuItem, MenuPopover } from '../mdc';
import { useSession } from '../session';
import { Modal, TypedNameModal } from '../ui/modal';
import { useNotify } from '../ui/notices';
import { Failure } from '../ui/parts';
import { MaintenanceDialog } from './maintenance-dialog';
import { type NodeOption, optionsFor, permitted } from './node-options';

interface Props {
  node: Schemas['Node'];
  cluster: Schemas['Cluster'];
}

interface DialogProps extends Props {
  onClose: () => void;
}

/** The menu of a node; what needs a word more opens a dialog. */
export function NodeActions({ node, cluster }: Props) {
  const { t } = useTranslation();
  const notify = useNotify();
  const [open, setOpen] = useState<NodeOption | null>(null);
  const params = { path: { clusterId: cluster.id, nodeId: node.id } };
  const { name } = node;
  const leave = useAction(() =>
    client.DELETE('/clusters/{clusterId}/nodes/{nodeId}/maintenance', { params }));
  const admit = useAction(() =>
    client.POST('/clusters/{clusterId}/nodes/{nodeId}/admit', { params }));
  const options = permitted(optionsFor(node, cluster), useSession().permissions);
  if (options.length === 0) return null;
  const choose = (option: NodeOption) => {
    if (option === 'leave') leave.run(undefined, () => notify(t('node.left', { name })));
    else if (option === 'admit') admit.run(undefined, () => notify(t('node.admitted', { name })));
    else setOpen(option);
  };
  const close = () => setOpen(null);
  const id = `actions-${node.id}`;
  return (
    <>
      <Button id={id} variant="tertiary" size={28} prefixIcon="more-bold"
        aria-label={t('nodes.actionsOf', { name })} />
      <MenuPopover triggerID={id} placement="bottom-end"
        aria-label={t('nodes.actionsOf', { name })}>
        {options.map((option) => (
          <MenuItem key={option} label={label(t, option, node)} onClick={() => choose(option)} />
        ))}
      </MenuPopover>
      <Failure failure={leave.failure ?? admit.failure} />
      {(open === 'enter' || open === 'renew') && (
        <MaintenanceDialog node={node} cluster={cluster} onClose={close} />
      )}
      {open === 'remove' && <RemoveDialog node={node} cluster={cluster} onClose={close} />}
      {open === 'replace' && <ReplaceDialog node={node} cluster={cluster} onClose={close} />}
      {open === 'adopt' && <AdoptDialog node={node} cluster={cluster} onClose={close} />}
      {open === 'despite' && <DespiteDialog node={node} cluster={cluster} onClose={close} />}
    </>
  );
}

function label(
  t: ReturnType<typeof useTranslation>['t'], option: NodeOption, node: Schemas['Node'],
): string {
  if (option === 'adopt') return t('node.adopt', { version: node.version });
  if (option === 'despite') return t('node.despite', { name: node.name });
  return t(`node.${option}`);
}

function RemoveDialog({ node, cluster, onClose }: DialogProps) {
  const { t } = useTranslation();
  const notify = useNotify();
  const { name } = node;
  const remove = useAction((typed_name: string) =>
    client.POST('/clusters/{clusterId}/nodes/{nodeId}/remove', {
      params: { path: { clusterId: cluster.id, nodeId: node.id } }, body: { typed_name },
    }));
  return (
    <TypedNameModal danger title={t('node.removeTitle', { name })} text={t('node.removeText')}
      name={name} submit={t('node.remove')} busy={remove.busy} failure={remove.failure}
      onClose={onClose}
      onSubmit={(typed) => remove.run(typed, () => {
        onClose();
        notify(t('node.removed', { name }));
      })} />
  );
}

function ReplaceDialog({ node, cluster, onClose }: DialogProps) {
  const { t } = useTranslation();
  const replace = useAction(() =>
    client.POST('/clusters/{clusterId}/nodes/{nodeId}/replace', {
      params: { path: { clusterId: cluster.id, nodeId: node.id } },
    }));
  return (
    <Modal title={t('node.replaceTitle', { name: node.name })} text={t('node.replaceText')}
      submit={t('node.replaceGo')} busy={replace.busy} failure={replace.failure}
      onClose={onClose}
      onSubmit={() => replace.run(undefined, ({ open_url }) => {
        if (open_url) location.assign(open_url);
        else onClose();
      })} />
  );
}

function AdoptDialog({ node, cluster, onClose }: DialogProps) {
  const { t } = useTranslation();
  const notify = useNotify();
  const { name, version } = node;
  const adopt = useAction(() =>
    client.POST('/clusters/{clusterId}/nodes/{nodeId}/adopt-version', {
      params: { path: { clusterId: cluster.id, nodeId: node.id } },
    }));
  return (
    <Modal title={t('node.adoptTitle', { name, version })} text={t('node.adoptText')}
      submit={t('node.adoptGo')} busy={adopt.busy} failure={adopt.failure} onClose={onClose}
      onSubmit={() => adopt.run(undefined, () => {
        onClose();
        notify(t('node.adopted', { name }));
      })} />
  );
}

function DespiteDialog({ node, cluster, onClose }: DialogProps) {
  const { t } = useTranslation();
  const notify = useNotify();
  const { name } = node;
  const despite = useAction((typed_name: string) =>
    client.POST('/clusters/{clusterId}/nodes/{nodeId}/upgrade-despite', {
      params: { path: { clusterId: cluster.id, nodeId: node.id } }, body: { typed_name },
    }));
  return (
    <TypedNameModal danger title={t('node.despiteTitle', { name })} name={name}
      text={t('node.despiteText', { name })} submit={t('node.despite', { name })}
      busy={despite.busy} failure={despite.failure} onClose={onClose}
      onSubmit={(typed) => despite.run(typed, () => {
        onClose();
        notify(t('node.despiteDone', { name }));
      })} />
  );
}
