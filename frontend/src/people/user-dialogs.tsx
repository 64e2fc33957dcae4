// What can be done about a person, each in its dialog.
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useAction } from '../api/action';
import { client, type Schemas } from '../api/client';
import { Radio, RadioGroup } from '../mdc';
import { Modal, TypedNameModal } from '../ui/modal';
import { useNotify } from '../ui/notices';
import { Muted } from '../ui/parts';
import { tenantRoles } from './user-options';

interface Props {
  person: Schemas['Person'];
  onClose: () => void;
}

export function RoleDialog({ person, onClose }: Props) {
  const { t } = useTranslation();
  const notify = useNotify();
  const [role, setRole] = useState(person.role);
  const { name } = person;
  const change = useAction((body: Schemas['SetRole']) =>
    client.PUT('/users/{userId}/role', { params: { path: { userId: person.id } }, body }));
  return (
    <Modal title={t('users.roleTitle', { name })} text={t('users.roleText')}
      submit={t('users.setRole')} busy={change.busy} blocked={role === person.role}
      failure={change.failure} onClose={onClose}
      onSubmit={() => change.run({ role }, () => {
        onClose();
        notify(t('users.roleChanged', { name, role: t(`role.${role}`) }));
      })}>
      <RoleChoice role={role} onChoose={setRole} />
    </Modal>
  );
}

export function RoleChoice({ role, onChoose }: {
  role: Schemas['Role']; onChoose: (role: Schemas['Role']) => void }) {
  const { t } = useTranslation();
  return (
    <>
      <RadioGroup name="role" label={t('users.role')}>
        {tenantRoles.map((each) => (
          <Radio key={each} name="role" value={each} label={t(`role.${each}`)}
            checked={role === each} onChange={() => onChoose(each)} />
        ))}
      </RadioGroup>
      {role !== 'release_engineer' && <Muted>{t(`users.about.${role}`)}</Muted>}
    </>
  );
}

/** Disables a person, or lets them in again. */
export function SwitchDialog({ person, onClose }: Props) {
  const { t } = useTranslation();
  const notify = useNotify();
  const { disabled, email, name } = person;
  const params = { path: { userId: person.id } };
  const change = useAction(() => (disabled ? client.POST('/users/{userId}/enable', { params })
    : client.POST('/users/{userId}/disable', { params })));
  const submit = () => change.run(undefined, () => {
    onClose();
    notify(t(disabled ? 'users.enabledDone' : 'users.disabledDone', { name }));
  });
  if (disabled) {
    return (
      <Modal title={t('users.enableTitle', { name })} text={t('users.enableText')}
        submit={t('users.enable')} busy={change.busy} failure={change.failure}
        onSubmit={submit} onClose={onClose} />
    );
  }
  return (
    <TypedNameModal danger title={t('users.disableTitle', { name })} text={t('users.disableText')}
      name={email} submit={t('users.disable')} busy={change.busy} failure={change.failure}
      onSubmit={submit} onClose={onClose} />
  );
}

/** For somebody who has lost every passkey and every recovery code. */
export function ResetDialog({ person, onClose }: Props) {
  const { t } = useTranslation();
  const notify = useNotify();
  const { email, name } = person;
  const reset = useAction(() => client.POST('/users/{userId}/reset-second-factor', {
    params: { path: { userId: person.id } },
  }));
  return (
    <TypedNameModal danger title={t('users.resetTitle', { name })} text={t('users.resetText')}
      name={email} submit={t('users.resetFactor')} busy={reset.busy} failure={reset.failure}
      onClose={onClose}
      onSubmit={() => reset.run(undefined, () => {
        onClose();
        notify(t('users.resetDone', { name }));
      })} />
  );
}
