import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useAction } from '../api/action';
import { client, type Schemas } from '../api/client';
import { makePasskey } from '../api/passkey';
import { Button, Icon, Input } from '../mdc';
import { refreshSession, useSession } from '../session';
import { help } from '../ui/help';
import { Modal } from '../ui/modal';
import { useNotify } from '../ui/notices';
import { OnceDialog } from '../ui/once';
import { Muted, Section, When } from '../ui/parts';

type Open = { kind: 'add' } | { kind: 'renew' }
  | { kind: 'remove'; passkey: Schemas['Passkey'] } | { kind: 'codes'; codes: string[] } | null;

/** Passkeys, and the recovery codes that take their place when they are lost. */
export function SecondFactor({ account }: { account: Schemas['Account'] }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const [open, setOpen] = useState<Open>(null);
  const { passkeys, recovery_codes_left: left } = account;
  const close = () => setOpen(null);
  const showCodes = (codes: string[] | undefined) =>
    setOpen(codes && codes.length > 0 ? { kind: 'codes', codes } : null);
  const closeCodes = () => {
    close();
    refreshSession(queries); // with the first passkey the rest of the console opens
  };
  return (
    <Section id="second-factor" title={t('account.secondFactor')}
      lead={t('account.secondFactorText')} actions={(
        <Button variant="secondary" prefixIcon="plus-regular"
          onClick={() => setOpen({ kind: 'add' })}>
          {t('account.addPasskey')}
        </Button>
      )}>
      {passkeys.length === 0 ? <Muted>{t('account.noPasskey')}</Muted> : (
        <ul className="rows" aria-label={t('account.passkeys')}>
          {passkeys.map((passkey) => (
            <PasskeyRow key={passkey.id} passkey={passkey}
              onRemove={() => setOpen({ kind: 'remove', passkey })} />
          ))}
        </ul>
      )}
      {passkeys.length > 0 && (
        <div className="row">
          <span>
            <strong>{t('account.recoveryCodes')}</strong>
            <Muted>{t('account.codesLeft', { count: left })}</Muted>
          </span>
          <Button size={28} variant="secondary" onClick={() => setOpen({ kind: 'renew' })}>
            {t('account.renewCodes')}
          </Button>
        </div>
      )}
      {open?.kind === 'add' && <AddPasskey onAdded={showCodes} onClose={close} />}
      {open?.kind === 'remove' && <RemovePasskey passkey={open.passkey} onClose={close} />}
      {open?.kind === 'renew' && <RenewCodes onRenewed={showCodes} onClose={close} />}
      {open?.kind === 'codes' && (
        <OnceDialog title={t('account.recoveryCodes')} text={t('account.codesText')}
          values={open.codes} file="connect-hub-recovery-codes.txt" onClose={closeCodes} />
      )}
    </Section>
  );
}

function PasskeyRow({ passkey, onRemove }: {
  passkey: Schemas['Passkey']; onRemove: () => void }) {
  const { t } = useTranslation();
  const { zone } = useSession().organization;
  const [before, after] = t('account.addedAt', { time: '\n' }).split('\n');
  const [usedBefore, usedAfter] = t('account.usedAt', { time: '\n' }).split('\n');
  return (
    <li className="row">
      <Icon name="secure-lock-regular" size={1.25} />
      <span>
        <strong className="breakable">{passkey.name}</strong>
        <Muted>
          {before}<When at={passkey.created_at} zone={zone} />{after}
          {passkey.last_used_at && (
            <> · {usedBefore}<When at={passkey.last_used_at} zone={zone} />{usedAfter}</>
          )}
        </Muted>
      </span>
      <Button size={28} variant="secondary" color="negative" onClick={onRemove}
        aria-label={t('account.removeOf', { name: passkey.name })}>
        {t('account.remove')}
      </Button>
    </li>
  );
}

function AddPasskey({ onAdded, onClose }: {
  onAdded: (codes: string[] | undefined) => void; onClose: () => void }) {
  const { t } = useTranslation();
  const notify = useNotify();
  const [name, setName] = useState('');
  const [tried, setTried] = useState(false);
  const add = useAction(async (chosen: string) => {
    const begun = await client.POST('/account/passkeys');
    if (!begun.data) return { error: begun.error };
    const { challenge_id, options } = begun.data;
    const credential = await makePasskey(options);
    return client.PUT('/account/passkeys', {
      body: { challenge_id, name: chosen, credential },
    });
  });
  const submit = () => {
    setTried(true);
    if (name.trim() === '') return;
    add.run(name.trim(), ({ recovery_codes }) => {
      notify(t('account.passkeyAdded', { name: name.trim() }));
      onAdded(recovery_codes);
    });
  };
  const { failure } = add;
  const missing = tried && name.trim() === '';
  const ours = failure?.field === 'name';
  return (
    <Modal title={t('account.addPasskey')} text={t('account.addPasskeyText')}
      submit={t('account.continue')} busy={add.busy} failure={ours ? null : failure}
      onSubmit={submit} onClose={onClose}>
      <Input label={t('account.passkeyName')} name="passkey_name" required maxlength={128}
        autocomplete="off" value={name} onInput={(event) => setName(event.target.value)}
        {...help(missing ? t('required') : ours ? failure.sentence : undefined,
          t('account.passkeyNameHelp'))} />
    </Modal>
  );
}

function RemovePasskey({ passkey, onClose }: {
  passkey: Schemas['Passkey']; onClose: () => void }) {
  const { t } = useTranslation();
  const notify = useNotify();
  const { name } = passkey;
  const remove = useAction(() => client.DELETE('/account/passkeys/{passkeyId}', {
    params: { path: { passkeyId: passkey.id } },
  }));
  return (
    <Modal danger title={t('account.removeTitle', { name })} text={t('account.removeText')}
      submit={t('account.remove')} busy={remove.busy} failure={remove.failure} onClose={onClose}
      onSubmit={() => remove.run(undefined, () => {
        onClose();
        notify(t('account.passkeyRemoved', { name }));
      })} />
  );
}

function RenewCodes({ onRenewed, onClose }: {
  onRenewed: (codes: string[]) => void; onClose: () => void }) {
  const { t } = useTranslation();
  const renew = useAction(() => client.POST('/account/recovery-codes'));
  return (
    <Modal title={t('account.renewCodes')} text={t('account.renewText')}
      submit={t('account.renewCodes')} busy={renew.busy} failure={renew.failure}
      onClose={onClose}
      onSubmit={() => renew.run(undefined, ({ recovery_codes }) => onRenewed(recovery_codes))} />
  );
}
